"""Server side of the Realtime (GA) wire protocol, without I/O.

`session.Session` takes client events and the engine's results and returns `Actions`: events to send and commands for
whoever owns the socket and the engine. Nothing in here opens a socket, sleeps or starts a task.
"""

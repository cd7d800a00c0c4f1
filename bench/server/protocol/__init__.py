"""Server side of the Realtime (GA) wire protocol, without I/O.

`Session` takes decoded client events and the engine's results and returns `Step`s: events to send and commands for
whoever owns the socket and the engine. Nothing in here opens a socket, sleeps or starts a task.
"""

from bench.server.protocol.commands import Command, Step
from bench.server.protocol.session import Session

__all__ = ["Command", "Session", "Step"]

"""The reference voice server: the server side of the Realtime protocol with an engine of its own, in its own process.

`bench.server.run.serve` runs it; nothing is imported here, so that asking for help does not load a web framework.
"""

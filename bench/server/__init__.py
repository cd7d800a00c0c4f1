"""The reference voice server: the server side of the Realtime protocol with engines of its own, in its own process.

`bench.server.run.serve` runs it; nothing is imported here, so that asking for help loads no engine.
"""

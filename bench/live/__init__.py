"""The live page: a run under way, or a stored one, in a browser; served by a process of its own."""

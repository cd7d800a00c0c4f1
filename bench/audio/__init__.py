"""Everything about sound: fixtures, wire formats, framing, and where speech begins and ends. Knows nothing of turns.

In: recordings and samples. Out: samples, bytes, indices, milliseconds. Each module is imported by its own name;
nothing is re-exported here, so that `import bench.audio` costs nothing.
"""

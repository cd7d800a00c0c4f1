"""A run against a window of earlier ones: whether it is worse than nights differ, and what would have been seen."""

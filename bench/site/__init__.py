"""Stored runs for everyone to read: their history, and a site of model cards, boards and dated verdicts."""

"""The engine `simulated`: a seeded server whose every delay, word error and fault is known and logged."""

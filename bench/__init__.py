"""Benchmarking and load-testing harness for realtime voice models."""

__version__ = "0.1.0"

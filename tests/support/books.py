"""Price books of tests."""

from __future__ import annotations

DEAR = """
book: dear
date: 2026-11-20
models:
  dear:
    tokens_usd_per_million:
      text: {input: 10, cached: 1, output: 20}
      audio: {input: 200, cached: 20, output: 800}
    source: made up
    source_date: 2026-11-20
"""
"""A model that costs much, so that a short run costs dollars."""

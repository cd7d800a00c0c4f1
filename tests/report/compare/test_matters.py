"""The smallest difference that matters, as it is written."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.measure.metrics import METRICS
from bench.report.compare.matters import parse_matters


@pytest.mark.parametrize(
    ("texts", "metric", "value", "least"),
    [
        ([], "first_audible_ms", 800.0, 40.0),
        ([], "connect_ms", 20.0, 10.0),
        ([], "text_tokens_per_s", 60.0, 3.0),
        ([], "error_rate", 0.2, 0.01),
        ([], "wer", None, 0.01),
        ([], "first_audible_ms", float("inf"), None),
        (["10%"], "first_audible_ms", 800.0, 80.0),
        (["10%"], "connect_ms", 20.0, 2.0),
        (["first_audible_ms=50ms"], "first_audible_ms", None, 50.0),
        (["first_audible_ms = 2 %"], "first_audible_ms", 800.0, 16.0),
        (["error_rate=0.5%", "3%"], "error_rate", 0.2, 0.005),
        (["error_rate=0.5%", "3%"], "ttft_ms", 1000.0, 30.0),
    ],
)
def test_what_matters(texts: list[str], metric: str, value: float | None, least: float | None) -> None:
    assert parse_matters(texts).of(METRICS[metric], value) == (None if least is None else pytest.approx(least))


@pytest.mark.parametrize("text", ["fifty", "first_audibl_ms=50ms", "first_audible_ms=50", "error_rate=2"])
def test_what_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BenchError) as caught:
        parse_matters([text])
    assert text in caught.value.message
    assert "--matters" in (caught.value.hint or "")

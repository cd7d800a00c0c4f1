"""Words for numbers and for what servers say."""

from __future__ import annotations

import json

import pytest

from bench.report.phrases import spoken

BODY = json.dumps({"error": {"message": 'The server says "no": try later.', "type": "server_error", "code": None}})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (BODY, 'The server says "no": try later.'),
        (BODY[:80], 'The server says "no": try later.'),
        ('{"detail": "Quota reached"}', "Quota reached"),
        ('{"code": 7}', '{"code": 7}'),
        ('{"message": ""}', '{"message": ""}'),
        ("Bad \x1b[31mgateway\n", "Bad [31mgateway"),
        ('She said {"message": "x"}', 'She said {"message": "x"}'),
        (None, "-"),
    ],
)
def test_of_a_body_in_json_the_sentence_is_shown(said: str | None, shown: str) -> None:
    assert spoken(said) == shown

"""What may be asked for with `--otlp`, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cli_export import exports_asked
from bench.errors import BenchError
from bench.export.otlp.asked import ENDPOINT, HEADERS, OF_KIND, PROTOCOL, Otlp, otlp_of, share_of, shown

URL = "http://127.0.0.1:4318"


def test_an_address_with_its_slash_is_the_same() -> None:
    assert otlp_of(f"{URL}/", None, texts=False, variables={}) == Otlp(URL)
    assert otlp_of("https://otlp.example/v2", "10%", texts=True, variables={}) == Otlp(
        "https://otlp.example/v2", 0.1, texts=True
    )


@pytest.mark.parametrize(
    ("where", "variables", "said"),
    [
        ("127.0.0.1:4318", {}, "http:// or https://"),
        ("grpc://collector", {}, "http:// or https://"),
        ("http://", {}, "http:// or https://"),
        ("http://host:port", {}, "no address"),
        ("http://host:4317", {}, "OTLP over gRPC"),
        ("http://user:Hidden1@host:4318", {}, "no user, password or query"),
        ("user:Hidden1@host", {}, "http:// or https://"),
        ("http://host?key=Hidden1", {}, "no user, password or query"),
        ("env", {}, f"{ENDPOINT} is not set"),
        ("env", {OF_KIND[0]: URL}, f"{ENDPOINT} is not set"),
        ("env", {ENDPOINT: URL, PROTOCOL: "grpc"}, "http/protobuf alone"),
        (URL, {HEADERS[0]: "a=b,Hidden1"}, "entry 2 is not NAME=VALUE"),
        (URL, {HEADERS[2]: "=Hidden1"}, "entry 1 is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_without_a_key(where: str, variables: dict[str, str], said: str) -> None:
    with pytest.raises(BenchError) as error:
        otlp_of(where, None, texts=False, variables=variables)
    assert said in error.value.message
    assert "Hidden1" not in f"{error.value.message} {error.value.hint}"


def test_the_environment_says_where_only_when_asked() -> None:
    variables = {ENDPOINT: "http://user:Hidden1@collector:4318"}
    assert otlp_of("env", None, texts=False, variables=variables) == Otlp(None)
    assert shown(None, variables) == "http://collector:4318"
    assert otlp_of(URL, None, texts=False, variables=variables) == Otlp(URL)
    assert shown(URL, variables) == URL


def test_options_that_belong_together() -> None:
    for rest in ({"traces": "5%"}, {"texts": True}):
        with pytest.raises(BenchError, match="go with --otlp"):
            exports_asked(**rest)  # type: ignore[arg-type]
    assert exports_asked(otlp=URL).live


@given(st.floats(0, 100))
def test_a_share_is_a_percentage(percent: float) -> None:
    assert share_of(f"{percent!r}%") == percent / 100


@pytest.mark.parametrize("text", ["", "%", "0.1", "101%", "-1%", "nan%", "1%%", "ten%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="from 0% to 100%"):
        share_of(text)

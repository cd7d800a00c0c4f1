"""Options that export are checked before the run begins, and say what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli_export import exports_asked
from bench.errors import BenchError
from bench.export import asked
from bench.export.asked import Address, Asked, address_of, check_installed, linger_of
from bench.export.otlp.asked import Otlp


@pytest.mark.parametrize(
    ("text", "address", "local"),
    [
        ("9464", Address("127.0.0.1", 9464), True),
        (":0", Address("127.0.0.1", 0), True),
        ("[::1]:80", Address("::1", 80), True),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464), False),
    ],
)
def test_an_address_is_this_machine_unless_asked(text: str, address: Address, local: bool) -> None:
    assert address_of(text) == address
    assert address_of(text).local == local


@pytest.mark.parametrize("text", ["", "host", "host:", "1:99999", "a:b:c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="HOST:PORT"):
        address_of(text)


def test_durations() -> None:
    assert (linger_of(None), linger_of("30s")) == (0.0, 30.0)
    with pytest.raises(BenchError, match="--prometheus-linger"):
        linger_of("30")


def test_options_that_belong_together(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="goes with --prometheus"):
        exports_asked(None, "3s", None)
    with pytest.raises(BenchError, match=r"end in \.prom"):
        exports_asked(None, None, tmp_path / "a.txt")
    with pytest.raises(BenchError, match="cannot be written"):
        exports_asked(None, None, tmp_path / "gone" / "a.prom")
    assert exports_asked(None, None, None) == Asked()


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "find_spec", lambda name: None)
    check_installed(Asked())
    with pytest.raises(BenchError, match="--otlp needs a library"):
        check_installed(Asked(otlp=Otlp("http://127.0.0.1:4318")))
    with pytest.raises(BenchError, match="--prometheus needs a library") as error:
        check_installed(Asked(prometheus=Address("127.0.0.1", 0)))
    assert error.value.hint == "install it: pip install 'realtime-voice-bench[export]'"

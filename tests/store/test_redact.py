"""No credential reaches a manifest, whatever way it was typed."""

from __future__ import annotations

import pytest

from bench.config.secrets import HIDDEN
from bench.store.manifest import CalledTarget, Manifest
from bench.store.redact import safe_command, safe_url

SECRET = "sk-live-31337"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://host/v1/realtime?model=m", "wss://host/v1/realtime?model=m"),
        (f"wss://me:{SECRET}@host:444/p", "wss://host:444/p"),
        (f"wss://host/p?api-key={SECRET}&deployment=d", f"wss://host/p?api-key={HIDDEN}&deployment=d"),
        (f"wss://host/p?access_token={SECRET}", f"wss://host/p?access_token={HIDDEN}"),
        (f"wss://host/p#{SECRET}", "wss://host/p"),
        ("ws://[::1]:8080/x", "ws://[::1]:8080/x"),
        (f"ws://[broken/{SECRET}", HIDDEN),
    ],
)
def test_safe_url(url: str, expected: str) -> None:
    assert safe_url(url) == expected


@pytest.mark.parametrize(
    "argument",
    [
        f"target.api_key={SECRET}",
        f"--api-key={SECRET}",
        f"target.headers.Authorization={SECRET}",
        f"--url=wss://u:{SECRET}@h/",
        f"target.url=wss://h/?key={SECRET}",
    ],
)
def test_a_secret_in_one_argument_is_hidden(argument: str) -> None:
    assert SECRET not in " ".join(safe_command(["bench", "run", argument]))


def test_a_secret_after_its_option_is_hidden() -> None:
    assert safe_command(["--api-key", SECRET, "x"]) == ["--api-key", HIDDEN, "x"]


@pytest.mark.parametrize(
    "argument", ["target.api_key=env:OPENAI_API_KEY", "load.callers=20", "session.max_output_tokens=5"]
)
def test_what_is_no_secret_stays(argument: str) -> None:
    assert safe_command([argument]) == [argument]


def test_the_manifest_cannot_be_given_a_secret(manifest: Manifest) -> None:
    manifest.command = ["bench", "run", "--set", f"target.api_key={SECRET}"]
    manifest.target = CalledTarget(url=f"wss://u:{SECRET}@h/?token={SECRET}")
    assert SECRET not in manifest.model_dump_json()

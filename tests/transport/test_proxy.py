"""Proxies by the usual variables: which one is chosen, and tunnels through real ones."""

from __future__ import annotations

import pytest

from bench.config.hosts import is_loopback
from bench.errors import BenchError
from bench.transport.channel import ConnectOptions, Message
from bench.transport.dial import usable
from bench.transport.proxy import Proxy, bypassed, proxy_for
from bench.transport.websocket import connect
from tests.transport.conftest import CA, failure_of, fresh_connection
from tests.transport.scripted_server import PROXY_CREDENTIALS

LOGIN = "caller:s3cret%20word@"


@pytest.mark.parametrize(
    ("host", "no_proxy", "expected"),
    [
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("example.com", ".example.com", True),
        ("api.example.com", "*.example.com", True),
        ("notexample.com", "example.com", False),
        ("API.Example.com", "example.COM", True),
        ("api.example.com", "other.org, example.com", True),
        ("api.example.com", "other.org example.com", True),
        ("api.example.com", "*", True),
        ("api.example.com", "", False),
        ("api.example.com", "example.com:443", True),
        ("api.example.com", "example.com:8443", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", False),
        ("27.0.0.1", "7.0.0.1", False),
        ("::1", "::1", True),
        ("fd00::7", "fd00::/8", True),
        ("::1", "[::1]:443", True),
        ("127.0.0.1", "127.0.0.1:80", False),
    ],
)
def test_no_proxy(host: str, no_proxy: str, expected: bool) -> None:
    assert bypassed(host, 443, no_proxy) is expected


@pytest.mark.parametrize(
    ("environment", "secure", "expected"),
    [
        ({"https": "http://p:1"}, True, Proxy("p", 1, False)),
        ({"https": "http://p:1"}, False, None),
        ({"http": "http://p:1"}, False, Proxy("p", 1, False)),
        ({"http": "http://p:1"}, True, None),
        ({"all": "p:3128"}, True, Proxy("p", 3128, False)),
        ({"all": "http://a", "https": "https://b"}, True, Proxy("b", 443, True)),
        ({"https": "http://u:p%40w@p:1"}, True, Proxy("p", 1, False, "u", "p@w")),
        ({"https": "http://p:1", "no": "host.example"}, True, None),
    ],
)
def test_the_proxy_for_a_target(environment: dict[str, str], secure: bool, expected: Proxy | None) -> None:
    assert proxy_for("host.example", 443, secure=secure, environment=environment) == expected


@pytest.mark.parametrize("url", ["socks5://p:1080", "ftp://p", "http://", "http://p:port"])
def test_a_proxy_that_cannot_be_used_is_the_users_error(url: str) -> None:
    with pytest.raises(BenchError, match="ALL_PROXY"):
        proxy_for("host.example", 443, secure=True, environment={"all": url})


@pytest.mark.parametrize(
    ("proxy", "code", "message"),
    [
        ("http://127.0.0.1:1", "proxy_refused", "proxy 127.0.0.1:1 (from the environment): Connection refused"),
        ("http://nowhere.invalid:1", "dns", "proxy nowhere.invalid (from the environment): Name or service not known"),
        ("not a url", "dns", "proxy not a url (from the environment): Name or service not known"),
    ],
)
def test_a_proxy_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: str, code: str, message: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    failure = failure_of("ws://plain.invalid:1/echo")
    assert (failure.error_kind, failure.error_code, failure.message) == ("connect", code, message)


def test_settings_that_no_call_can_be_made_with_are_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    usable(ConnectOptions("wss://host.example/x"))
    with pytest.raises(BenchError, match=r"ca_file: cannot use '/nowhere\.pem'"):
        usable(ConnectOptions("wss://host.example/x", ca_file="/nowhere.pem"))
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(BenchError, match="ALL_PROXY"):
        usable(ConnectOptions("ws://host.example/x"))
    usable(ConnectOptions("ws://127.0.0.1/x"))


def speak_through(url: str) -> str | bytes:
    """What comes back for "through"."""
    connection = fresh_connection()
    ws = connect(ConnectOptions(url, ca_file=CA), connection)
    ws.send("through")
    message = ws.receive(5)
    assert isinstance(message, Message)
    assert connection.kernel_stamps
    assert ws.close().clean
    return message.data


# Neither name resolves: only the proxy knows where they are, so an answer proves that it was used.
@pytest.mark.parametrize(
    ("variable", "proxy", "target"),
    [
        ("http_proxy", "http://{login}127.0.0.1:{proxy}", "ws://plain.invalid:1/echo"),
        ("HTTPS_PROXY", "http://{login}127.0.0.1:{proxy}", "wss://localhost:{tls}/echo"),
        ("ALL_PROXY", "https://{login}localhost:{tls_proxy}", "ws://plain.invalid:1/echo"),
        ("https_proxy", "https://{login}localhost:{tls_proxy}", "wss://localhost:{tls}/echo"),
    ],
)
def test_a_tunnel(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, target: str
) -> None:
    monkeypatch.setenv(variable, proxy.format(login=LOGIN, **ports))
    assert speak_through(target.format(**ports)) == "through"


def test_the_certificate_is_checked_against_the_target_not_the_proxy(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://{LOGIN}127.0.0.1:{ports['proxy']}")
    failure = failure_of("wss://tls.invalid:1/echo", ca_file=CA)
    assert (failure.error_kind, failure.error_code) == ("tls", "hostname_mismatch")


def test_this_machine_is_never_reached_through_a_proxy(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for host in ("127.0.0.1", "localhost"):
        assert speak_through(f"ws://{host}:{ports['plain']}/echo") == "through"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("LOCALHOST.", True), ("voice.localhost", True), ("10.0.0.1", False), ("localhost.example.com", False),
        ("128.0.0.1", False), ("0.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) == here
    proxy = proxy_for(host, 80, secure=False, environment={"http": "http://proxy:3128"})
    assert (proxy is None) == here


def test_no_proxy_leads_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    failure = failure_of("ws://target.invalid:1/echo")
    assert (failure.error_kind, failure.error_code) == ("connect", "proxy_refused")
    monkeypatch.setenv("no_proxy", ".invalid")
    assert failure_of("ws://target.invalid:1/echo").error_code == "dns"


def test_proxies_can_be_ignored(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    options = ConnectOptions(f"ws://127.0.0.1:{ports['plain']}/echo", proxies=False)
    assert connect(options, fresh_connection()).close().clean


@pytest.mark.parametrize(
    ("login", "host", "kind", "code", "status"),
    [
        ("caller:wrongpass@", "plain", "connect", "proxy_http_407", 407),
        (LOGIN, "garbage", "connect", "proxy_not_http", None),
        (LOGIN, "silent", "timeout", "proxy_timeout", None),
    ],
)
def test_a_proxy_that_fails(
    ports: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    login: str,
    host: str,
    kind: str,
    code: str,
    status: int | None,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{login}127.0.0.1:{ports['proxy']}")
    failure = failure_of(f"ws://{host}.invalid:1/echo", connect_timeout_s=0.5)
    assert (failure.error_kind, failure.stage, failure.error_code) == (kind, "connect", code)
    assert failure.http_status == status
    assert "wrongpass" not in repr(failure)


@pytest.mark.parametrize("secure", [False, True])
def test_credentials_that_a_proxy_echoes_are_not_shown(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    monkeypatch.setenv("https_proxy", f"http://caller:s3cret%20word@127.0.0.1:{ports['proxy']}")
    monkeypatch.setenv("http_proxy", f"http://caller:s3cret%20word@127.0.0.1:{ports['proxy']}")
    failure = failure_of("wss://echo.invalid/" if secure else "ws://echo.invalid/")
    assert failure.error_code == "proxy_http_403"
    assert "Basic ***" in (failure.message or "")
    assert PROXY_CREDENTIALS[:8] not in repr(failure)

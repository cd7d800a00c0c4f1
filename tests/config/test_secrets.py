"""Secrets stay references until they are used, and no message repeats one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config.redactor import Redactor
from bench.config.secrets import SecretRef, looks_like_key, names_secret
from bench.errors import BenchError
from bench.scenario.read import expanded
from bench.store.redact import safe_command, safe_url
from tests.scenario.conftest import Load, Problems

KEY = "sk-proj-abcdefghij0123456789"


def test_env_reference_resolves_and_never_shows_the_value() -> None:
    ref = SecretRef.parse("env:MY_KEY")
    assert ref.resolve({"MY_KEY": f" {KEY}\n"}, Path()) == KEY
    assert str(ref) == "env:MY_KEY"
    assert KEY not in repr(ref)


def test_file_reference_is_relative_to_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"{KEY}\n", encoding="utf-8")
    assert SecretRef.parse("file:key.txt").resolve({}, tmp_path) == KEY


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("env:UNSET", "UNSET is not set"),
        ("env:EMPTY", "EMPTY is empty"),
        ("file:missing.txt", "No such file"),
        ("file:empty.txt", "is empty"),
        ("file:binary", "not a UTF-8 text"),
        ("file:.", "directory"),
    ],
)
def test_what_cannot_be_resolved(reference: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(BenchError, match=found) as caught:
        SecretRef.parse(reference).resolve({"EMPTY": " "}, tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize("text", [KEY, "env:", "env:A-B", "file:", "", "ENV:X", "password1"])
def test_a_literal_is_no_reference_and_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"must not be written|environment variable") as caught:
        SecretRef.parse(text)
    assert not text or text not in str(caught.value) or text == "env:"


def test_known_shapes() -> None:
    assert looks_like_key(KEY)
    assert looks_like_key(f"Bearer {KEY}")
    assert not looks_like_key("sketch of a desk-lamp, task-list")


SECRET_NAMES = """
    key api-key apikey api_keys apiKey X-Api-Key OPENAI_API_KEY Ocp-Apim-Subscription-Key accessKey secret-key api_key_2
    KEY_PROD token X_TOKEN access_token access_tokens authToken id_token X-Amz-Security-Token secret client_secret
    clientsecret password DB_PASSWD passphrase SMTP_PASS Authorization Proxy-Authorization auth X-Auth X-Auth-Token
    oauth Cookie Set-Cookie session_cookie cookies sig query.sig signature X-Signature X-Amz-Signature
    X-Hub-Signature-256 credentials X-Amz-Credential jwt bearer X-Hmac otp client_assertion target.headers.Authorization
    --api-key
"""
PLAIN_NAMES = """
    max_output_tokens out_tokens_max MAX_TOKENS tokens token_limit token_type tokenizer keyboard monkey turkey hotkey
    key_id api-key-name author authority authored_by auth_header auth_scheme auth-type compass bypass sigma
    signed_headers design signal cookie_policy secretary password_policy public_key prompt_cache_key Idempotency-Key
    api-version model PWD passenger user x-request-id target.headers load.callers
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_that_holds_a_secret(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", PLAIN_NAMES.split())
def test_a_name_that_only_resembles_one(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize("name", ["Cookie", "X-Auth", "X-Signature", "Authorization", "X-Api-Key"])
def test_a_secret_header_is_a_reference_from_the_scenario_to_the_report(
    name: str, load: Load, problems: Problems
) -> None:
    (found,) = problems(TARGET.format(lines=f"  headers: {{{name}: session=hunter2-hunter2}}"))
    assert found.startswith(f"s.yaml:4: target.headers.{name}: ")
    assert "hunter2" not in found
    scenario = load(TARGET.format(lines=f"  headers: {{{name}: env:X}}"), env={"X": "session=hunter2-hunter2"})
    assert scenario.target is not None
    assert expanded(scenario)["target"]["headers"] == {name: "env:X"}
    headers = scenario.target.headers_with_secrets({"X": "session=hunter2-hunter2"}, scenario.base)
    assert headers == {name: "session=hunter2-hunter2"}
    assert Redactor.of_request("wss://host/v1", headers, ()).clean("no session hunter2-hunter2") == "no session ***"
    assert safe_command(["--set", f"target.headers.{name}=hunter2"]) == ["--set", f"target.headers.{name}=***"]


@pytest.mark.parametrize("name", ["sig", "auth", "api-key"])
def test_a_secret_parameter_is_refused_in_every_place(name: str, problems: Problems) -> None:
    (in_query,) = problems(TARGET.format(lines=f"  query: {{{name}: hunter2-hunter2}}"))
    (in_url,) = problems("name: t\nconversation: [{say: yes-slt}]", url=f"wss://host/v1?{name}=hunter2-hunter2")
    assert in_query.startswith(f"s.yaml:4: target.query.{name}: ")
    assert in_url.startswith("--url: target.url: ")
    assert "hunter2" not in in_query + in_url
    assert "hunter2" not in safe_url(f"wss://host/v1?{name}=hunter2-hunter2")
    redactor = Redactor.of_request(f"wss://host/v1?{name}=hunter2-hunter2", {}, ())
    assert redactor.clean("hunter2-hunter2") == "***"


TARGET = """\
name: t
target:
  url: wss://host/v1
{lines}
conversation: [{{say: yes-slt}}]
"""


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (f"  api_key: {KEY}", "target.api_key"),
        ("  api_key: hunter2-hunter2", "target.api_key"),
        ("  headers: {api-key: hunter2-hunter2}", "target.headers.api-key"),
        (f"  headers: {{X: Bearer {KEY}}}", "target.headers.X"),
        ("  query: {token: hunter2-hunter2}", "target.query.token"),
        ("  headers: {api-key: [hunter2-hunter2]}", "target.headers.api-key"),
        (f"  headers: {{X: 'env:{KEY}'}}", "target.headers.X"),
    ],
)
def test_a_secret_in_a_scenario_is_refused_without_being_shown(lines: str, key: str, problems: Problems) -> None:
    (found,) = problems(TARGET.format(lines=lines))
    assert found.startswith(f"s.yaml:4: {key}: ")
    assert "env:NAME" in found
    assert KEY not in found
    assert "hunter2" not in found


@pytest.mark.parametrize("url", [f"wss://host/v1?x={KEY}", "wss://host/v1?api-key=hunter2", "wss://me:hunter2@host/v1"])
def test_a_secret_in_the_url_is_refused_without_being_shown(url: str, problems: Problems) -> None:
    (found,) = problems("name: t\nconversation: [{say: yes-slt}]", url=url)
    assert found.startswith("--url: target.url: ")
    assert KEY not in found
    assert "hunter2" not in found


def test_a_secret_is_not_interpolated(problems: Problems) -> None:
    (by_name,) = problems(TARGET.format(lines="  api_key: ${MY_API_KEY}"), env={"MY_API_KEY": "hunter2"})
    assert by_name.startswith("s.yaml:4: target.api_key: ${MY_API_KEY} would write a secret")
    (by_shape,) = problems("name: t\ndescription: a ${X}\nconversation: [{say: yes-slt}]", env={"X": KEY})
    assert by_shape.startswith("s.yaml:2: description: ${X} would write a secret")
    assert KEY not in by_shape


def test_the_expanded_scenario_holds_references_only(load: Load) -> None:
    env = {"MY_API_KEY": KEY, "MY_TOKEN": "hunter2"}
    scenario = load(TARGET.format(lines="  api_key: env:MY_API_KEY\n  headers: {x-token: env:MY_TOKEN}"), env=env)
    shown = f"{expanded(scenario)} {scenario!r} {scenario}"
    assert "env:MY_API_KEY" in shown
    assert KEY not in shown
    assert "hunter2" not in shown
    assert scenario.target is not None
    assert scenario.target.headers_with_secrets(env, scenario.base) == {
        "Authorization": f"Bearer {KEY}",
        "x-token": "hunter2",
    }


def test_key_in_a_header_of_another_name(load: Load) -> None:
    lines = "  api_key: env:K\n  auth_header: api-key\n  auth_scheme: null\n  query: {v: '1', key: env:K}"
    target = load(TARGET.format(lines=lines)).target
    assert target is not None
    assert target.headers_with_secrets({"K": KEY}, Path()) == {"api-key": KEY}
    assert target.query_with_secrets({"K": KEY}, Path()) == {"v": "1", "key": KEY}


@pytest.mark.parametrize("lines", [f"seed: {KEY}", f"session: {{voice: {KEY}}}", f"{KEY}: 1", f"load: {{ramp: {KEY}}}"])
def test_a_key_in_the_wrong_place_is_not_shown_either(lines: str, problems: Problems) -> None:
    (found,) = problems(f"name: t\nconversation: [{{say: yes-slt}}]\n{lines}")
    assert found.startswith("s.yaml:3: ")
    assert "(not shown)" in found
    assert "abcdefghij" not in found

"""Client secrets of the Realtime API: asking for one with the real key, and calling with it.

In: the address of a call. Out: the request for a secret (`POST .../client_secrets`), the secret in its answer, and the
address with the secret. The shape of 2024 gives one with a session (`POST .../sessions`), as `client_secret: {value,
expires_at}`, and a backend of one's own may answer so too.
Trap: a secret limits when a session may be opened; one that is open outlives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from bench.dialects.dialect import Address, KeyTerms, ShortKey
from bench.dialects.short_keys import answer_of, is_token, over_http
from bench.facts.http import HttpRequest

_PATH = "/v1/realtime"


def secret_request(address: Address, terms: KeyTerms) -> HttpRequest:
    """`POST {path of the calls}/client_secrets`, or to the `url` of the terms; it names the model that calls name."""
    session: dict[str, Any] = {"type": "transcription" if address.transcribes else "realtime"}
    if not address.transcribes and (model := _model(address)):
        session["model"] = model
    body = {"expires_after": {"anchor": "created_at", "seconds": terms.lifetime_s}, "session": session}
    return _post(address, terms, "client_secrets", body)


def beta_secret_request(address: Address, terms: KeyTerms) -> HttpRequest:
    """`POST {path of the calls}/sessions`, as in 2024: its model is all that is asked for, and no lifetime."""
    model = _model(address)
    return _post(address, terms, "sessions", {} if model is None else {"model": model})


def _model(address: Address) -> str | None:
    named = parse_qs(urlsplit(address.url).query).get("model", [None])[0]
    return address.model or address.query.get("model") or named


def _post(address: Address, terms: KeyTerms, name: str, body: Mapping[str, Any]) -> HttpRequest:
    path = f"{urlsplit(address.url).path.rstrip('/') or _PATH}/{name}"
    headers = {**address.headers, "Content-Type": "application/json"}
    return HttpRequest("POST", terms.url or over_http(address.url, path), headers, orjson.dumps(body))


def secret_in(body: bytes) -> ShortKey:
    """The secret of an answer in either shape; raises `ValueError` when there is none."""
    answer = answer_of(body)
    nested = answer.get("client_secret")
    found = nested if isinstance(nested, Mapping) else answer
    value, expires_at = found.get("value"), found.get("expires_at")
    if not is_token(value):
        raise ValueError("the answer holds no `value` that is a client secret")
    if isinstance(expires_at, int | float) and not isinstance(expires_at, bool) and expires_at > 0:
        return ShortKey(value, float(expires_at))
    return ShortKey(value)


def address_with(address: Address, secret: ShortKey) -> Address:
    """`address` with the secret as its bearer, and without the header that held the real key."""
    mine = {address.key_header or "", "authorization"}
    rest = {name: value for name, value in address.headers.items() if name.lower() not in {key.lower() for key in mine}}
    headers = {**rest, "Authorization": f"Bearer {secret.value}"}
    return replace(address, headers=headers, key_header="Authorization")

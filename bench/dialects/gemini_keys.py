"""Short-lived tokens of Gemini Live: asking for one with the real key, and calling with it.

In: the address of a call. Out: the request for a token (`POST /v1alpha/auth_tokens`), the token in its answer, and the
address that takes it: another method of the service, with `access_token` in the query.
Trap: a token has two ends. `newSessionExpireTime` bounds when a session may begin; at `expireTime` an open one is cut
off. Both are instants, by the server's clock, and neither is told in the answer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from bench.dialects.dialect import Address, Endpoint, KeyTerms, ShortKey
from bench.dialects.short_keys import answer_of, is_token, over_http
from bench.facts.http import HttpRequest

TOKEN_PATH = "/v1alpha/auth_tokens"
OPEN_S = 1_800
"""How long after the last instant at which a session may begin it may go on: the vendor's own default."""
_METHOD = re.compile(r"(/ws/google\.ai\.generativelanguage\.)v\w+(\.GenerativeService\.BidiGenerateContent)")


def token_request(address: Address, terms: KeyTerms) -> HttpRequest:
    """`POST /v1alpha/auth_tokens` at the host of the calls, or to the `url` of the terms.

    A shared token may be used any number of times, any other once. Without `now_s` the server chooses how long it is
    good for: one minute.
    """
    body: dict[str, Any] = {"uses": 0 if terms.shared else 1}
    if terms.now_s is not None:
        begun_by_s = terms.now_s + terms.lifetime_s
        body["newSessionExpireTime"] = _written(begun_by_s)
        body["expireTime"] = _written(begun_by_s + OPEN_S)
    headers = {**address.headers, "Content-Type": "application/json"}
    return HttpRequest("POST", terms.url or over_http(address.url, TOKEN_PATH), headers, orjson.dumps(body))


def token_in(body: bytes) -> ShortKey:
    """The token of an answer, which is its `name`; raises `ValueError` when there is none."""
    name = answer_of(body).get("name")
    if not is_token(name):
        raise ValueError("the answer holds no `name` that is a token")
    return ShortKey(name)


def endpoint_of(address: Address, usual: Endpoint, token: ShortKey) -> Endpoint:
    """`usual`, the endpoint with the real key, with the token in its place and at the method that takes tokens.

    A path that is not Google's own (a proxy's) is kept as it is.
    """
    scheme, netloc, path, written, _ = urlsplit(usual.url)
    found = _METHOD.fullmatch(path)
    path = f"{found[1]}v1alpha{found[2]}Constrained" if found else path
    pairs = [*parse_qsl(written, keep_blank_values=True), ("access_token", token.value)]
    mine = (address.key_header or "").lower()
    headers = {name: value for name, value in usual.headers.items() if name.lower() != mine}
    return Endpoint(urlunsplit((scheme, netloc, path, urlencode(pairs, safe="/"), "")), headers, usual.subprotocols)


def _written(at_s: float) -> str:
    """An instant as Google's services write it: `2026-11-26T09:30:00Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

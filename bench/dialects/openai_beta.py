"""The Realtime protocol of OpenAI in its beta shape of 2024, as other servers still speak it.

Azure's dated API versions, Speaches, DashScope and older LocalAI do; api.openai.com refuses it since 2026. The session
is flat, replies come as `response.audio.delta`, items as `conversation.item.created`, and a header asks for the shape.
Trap: usage and rate limits are often missing or `{}` here, which is unknown and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bench.dialects.dialect import Address, Endpoint, KeyTerms
from bench.dialects.openai import OpenAIDialect
from bench.dialects.openai_fields import mapping
from bench.dialects.openai_keys import beta_secret_request
from bench.dialects.openai_shapes import BETA_NAMES, flat
from bench.facts.http import HttpRequest
from bench.facts.signals import Signal

BETA_HEADER, BETA_VALUE = "OpenAI-Beta", "realtime=v1"
BETA_REFUSED = "beta_api_shape_disabled"


class OpenAIBetaDialect(OpenAIDialect):
    """The client side of one session in the beta shape."""

    name = "openai-beta"
    voices: ClassVar[tuple[str, ...]] = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
    _handlers: ClassVar[Mapping[str, str]] = {
        BETA_NAMES.get(kind, kind): name for kind, name in OpenAIDialect._handlers.items()
    }
    _unused = OpenAIDialect._unused | frozenset(BETA_NAMES.values())
    _shape = "beta"
    sessions = ("realtime",)
    asks_by_header: ClassVar[bool] = True
    """Some vendors speak this shape and no other, and want no header for it."""

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """As for the GA shape, with the header that asks for this one unless the scenario says it itself."""
        found = super().endpoint(address)
        if not cls.asks_by_header:
            return found
        own = {} if BETA_HEADER.lower() in {name.lower() for name in found.headers} else {BETA_HEADER: BETA_VALUE}
        return Endpoint(found.url, {**found.headers, **own}, found.subprotocols)

    @classmethod
    def short_key_request(cls, address: Address, terms: KeyTerms) -> HttpRequest:
        """A session that is asked for has a secret with it."""
        return beta_secret_request(address, terms)

    def _session(self) -> dict[str, Any]:
        return flat(super()._session())

    def _error(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        if mapping(message.get("error")).get("code") == BETA_REFUSED:
            return self._other_shape("ga", at_ns)
        return super()._error(message, at_ns)

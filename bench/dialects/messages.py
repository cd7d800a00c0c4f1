"""What every dialect of JSON messages does alike with a message, before its own meaning begins.

In: a message as it came, or one field of it. Out: the object, or the sound in it; or `Malformed`, which says why there
is none. Trap: a server may send anything, so what fails here or in a handler is a signal of the call and never ends it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pybase64

from bench.dialects.lenient_json import loads
from bench.facts.signals import Malformed, Signal

_URL_ALPHABET = str.maketrans("-_", "+/")
_MOST_SAID = 200
"""Characters of a reason; a server may have put a whole reply into it."""


def read_object(data: str | bytes, at_ns: int) -> dict[str, Any] | Malformed:
    """The object that the message `data` is."""
    try:
        message = loads(data)
    except ValueError as error:
        if isinstance(data, bytes):
            said = f"not JSON: a binary message of {len(data):,} bytes; audio belongs into messages of this protocol"
            return Malformed(at_ns, said, of_sound=True)
        return Malformed(at_ns, f"not JSON: {error}"[:_MOST_SAID])
    if not isinstance(message, dict):
        return Malformed(at_ns, f"a JSON {type(message).__name__} where an object belongs")
    return message


def read_sound(encoded: Any, at_ns: int) -> bytes | Malformed:
    """The bytes of sound that are `encoded` as base64; without padding, in lines or in the alphabet of URLs too."""
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        try:
            return pybase64.b64decode(_plain_base64(encoded), validate=True)
        except (binascii.Error, TypeError, ValueError, AttributeError):
            return Malformed(at_ns, f"audio that is not base64: {error}"[:_MOST_SAID], of_sound=True)


def _plain_base64(encoded: str) -> str:
    bare = "".join(encoded.splitlines()).rstrip("=").translate(_URL_ALPHABET)
    return bare + "=" * (-len(bare) % 4)


def handle(
    handler: Callable[[Mapping[str, Any], int], Sequence[Signal]], message: Mapping[str, Any], at_ns: int, kind: str
) -> Sequence[Signal]:
    """What `handler` finds in `message`, whose type is `kind`; a field of the wrong type is `Malformed`."""
    try:
        return handler(message, at_ns)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return (Malformed(at_ns, f"{kind}: {type(error).__name__}: {error}"[:_MOST_SAID]),)

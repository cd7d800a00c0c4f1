"""Client secrets of a server with several processes: each holds its own configuration, signed with a key they share.

In: a configuration and when the secret expires; out: the secret. And back, in whichever process the call arrives.
Trap: it is signed and not encrypted; it goes to the client that asked for this very configuration.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import zlib

import orjson

from bench.server.protocol.checks import Json

_SIGNATURE = 32
MAX_CONTENT = 1024 * 1024


def sealed(key: str, content: Json) -> str:
    """`content` as a word of letters, digits, `-`, `_` and one dot."""
    body = base64.urlsafe_b64encode(zlib.compress(orjson.dumps(content))).rstrip(b"=").decode()
    return f"{body}.{_signature(key, body)}"


def opened(key: str, word: str) -> Json | None:
    """What `sealed` put into `word`; None when it is not signed with this key."""
    body, _, signature = word.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, body).encode()):
        return None
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        content: Json = orjson.loads(zlib.decompressobj().decompress(packed, MAX_CONTENT))
    except (binascii.Error, zlib.error, orjson.JSONDecodeError):
        return None
    return content


def _signature(key: str, body: str) -> str:
    return hmac.new(key.encode(), body.encode(), "sha256").hexdigest()[:_SIGNATURE]

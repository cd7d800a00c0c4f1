"""Token accounting: what a response is billed for, by modality, with its cached share.

Rates are the vendor's published ones: caller audio 10 tokens a second, reply audio 20. Text has no tokenizer here:
a run of letters or digits costs one token per started 7 characters, any other mark one. Input is the whole context,
so it grows with every response; the cached part is the leading stretch that the previous response already sent.
Trap: cached tokens are a subset of the input tokens, never an addition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

USER_AUDIO_TOKENS_PER_S = 10
REPLY_AUDIO_TOKENS_PER_S = 20
CHARACTERS_PER_TOKEN = 7
_WORD = re.compile(r"\s*\S+\s*")
_PIECES = re.compile(r"\w+|[^\w\s]")


def text_tokens(text: str) -> int:
    """The estimate described above; 0 for text without a visible character."""
    return sum(-(-len(piece) // CHARACTERS_PER_TOKEN) for piece in _PIECES.findall(text))


def words(text: str) -> list[str]:
    """The words of a text with the white space behind them; joined they are the text again."""
    return _WORD.findall(text)


def user_audio_tokens(audio_ms: float) -> int:
    return int(audio_ms * USER_AUDIO_TOKENS_PER_S / 1000 + 1e-6)


def reply_audio_tokens(audio_ms: float) -> int:
    return int(audio_ms * REPLY_AUDIO_TOKENS_PER_S / 1000 + 1e-6)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the context; equal segments at the same place are served from the cache."""

    key: str
    text_tokens: int
    audio_tokens: int
    image_tokens: int = 0


class UsageLedger:
    """Remembers the context last sent, so that the next response knows which part of its own is cached."""

    def __init__(self) -> None:
        self._previous: tuple[Segment, ...] = ()

    def usage(self, context: Sequence[Segment], *, out_text_tokens: int, out_audio_tokens: int) -> dict[str, Any]:
        """The `usage` object of `response.done`; remembers `context` for the next one."""
        cached_text = cached_audio = cached_image = 0
        for before, now in zip(self._previous, context, strict=False):
            if before != now:
                break
            cached_text += now.text_tokens
            cached_audio += now.audio_tokens
            cached_image += now.image_tokens
        self._previous = tuple(context)
        in_text = sum(segment.text_tokens for segment in context)
        in_audio = sum(segment.audio_tokens for segment in context)
        in_image = sum(segment.image_tokens for segment in context)
        input_tokens = in_text + in_audio + in_image
        return {
            "total_tokens": input_tokens + out_text_tokens + out_audio_tokens,
            "input_tokens": input_tokens,
            "output_tokens": out_text_tokens + out_audio_tokens,
            "input_token_details": {
                "text_tokens": in_text,
                "audio_tokens": in_audio,
                "image_tokens": in_image,
                "cached_tokens": cached_text + cached_audio + cached_image,
                "cached_tokens_details": {
                    "text_tokens": cached_text,
                    "audio_tokens": cached_audio,
                    "image_tokens": cached_image,
                },
            },
            "output_token_details": {"text_tokens": out_text_tokens, "audio_tokens": out_audio_tokens},
        }


def transcription_usage(model: str, *, audio_ms: float, transcript: str) -> dict[str, Any]:
    """Usage of an input transcription: tokens for the `gpt-4o` transcribers, seconds for every other model."""
    if not model.startswith(("gpt-4o-transcribe", "gpt-4o-mini-transcribe")):
        return {"type": "duration", "seconds": round(audio_ms / 1000, 3)}
    heard = user_audio_tokens(audio_ms)
    written = text_tokens(transcript)
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "output_tokens": written,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
    }

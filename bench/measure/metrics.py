"""What every number means, declared once: reports, docs, thresholds and the published pages read this list.

In: nothing; out: `METRICS`, by name. A metric of scope `turn` or `session` is the column of that name in the rows;
one of scope `run` is folded from them. Trap: `worse` is about the value of the metric itself ("higher" latency is
worse, "lower" speed is worse); None means that a difference is neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ms", "tokens/s", "x", "share", "count", "words", "USD", "tokens", "s"]
Aggregate = Literal["percentile", "rate", "pooled", "sum", "ratio"]
Scope = Literal["turn", "session", "run"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number: what it is called, what it means, how it is folded over turns, and which way is worse."""

    name: str
    unit: Unit
    title: str
    definition: str
    worse: Literal["higher", "lower"] | None
    aggregate: Aggregate
    scope: Scope = "turn"
    headline: bool = False
    decimals: int = 0


def _ms(name: str, title: str, definition: str, *, headline: bool = False, scope: Scope = "turn") -> Metric:
    """A time in ms: folded as percentiles, longer is worse."""
    return Metric(name, "ms", title, definition, "higher", "percentile", scope, headline)


def _tokens(name: str, title: str, definition: str) -> Metric:
    """A count that a server billed: summed; more is dearer but not worse in itself."""
    return Metric(name, "tokens", title, definition, None, "sum")


def _share(name: str, title: str, definition: str, worse: Literal["higher", "lower"], headline: bool = False) -> Metric:
    """A share of turns or sessions, 0 to 1; printed in percent."""
    return Metric(name, "share", title, definition, worse, "rate", "run", headline, 4)


def _usd(name: str, title: str, definition: str, *, headline: bool = False) -> Metric:
    return Metric(name, "USD", title, definition, "higher", "sum", "turn", headline, 6)


_SESSION = (
    _ms(
        "connect_ms",
        "connect",
        "intended start of the call -> TCP, TLS and WebSocket upgrade are done",
        scope="session",
    ),
    _ms(
        "session_ready_ms",
        "session ready",
        "intended start of the call -> the session is configured and acknowledged",
        scope="session",
    ),
    _ms("start_late_ms", "start late", "intended start of the call -> our own loop began it", scope="session"),
    _ms("dns_ms", "name lookup", "start of the call -> its host name is resolved", scope="session"),
    _ms("tcp_ms", "TCP", "name resolved -> TCP connection is open", scope="session"),
    _ms("tls_ms", "TLS", "TCP open -> TLS handshake is done; null without TLS", scope="session"),
    _ms("upgrade_ms", "upgrade", "TCP or TLS open -> the WebSocket upgrade is answered", scope="session"),
    Metric(
        "duration_ms",
        "ms",
        "call length",
        "start of the call -> its connection is closed",
        None,
        "percentile",
        "session",
    ),
)

_LATENCY = (
    _ms(
        "first_audible_ms",
        "first audible",
        "end of the caller's speech -> first audible reply sample as a listener hears it, leading silence included",
        headline=True,
    ),
    _ms("first_audio_ms", "first audio", "end of the caller's speech -> first reply audio byte", headline=True),
    _ms(
        "ttft_ms",
        "TTFT",
        "end of the caller's speech -> first non-empty text or transcript delta of the reply",
        headline=True,
    ),
    _ms(
        "endpoint_ms",
        "endpointing",
        "end of the caller's speech -> the server says the turn ended; null in manual mode",
        headline=True,
    ),
    _ms("leading_silence_ms", "leading silence", "first reply audio byte -> first audible reply sample"),
    _ms(
        "commit_to_first_audio_ms",
        "commit to first audio",
        "manual mode: our commit (or the request for a response) is sent -> first reply audio byte",
    ),
    _ms("response_created_ms", "response created", "end of the caller's speech -> the server announces its response"),
    _ms("response_done_ms", "response done", "end of the caller's speech -> the server closes its response"),
    _ms(
        "reply_heard_ms",
        "reply heard",
        "end of the caller's speech -> a listener with the jitter buffer has heard the last reply sample",
    ),
    _ms("barge_in_stop_ms", "barge-in stop", "onset of the caller's interruption -> last reply sample that is heard"),
    _ms("tool_ms", "tool call", "end of the caller's speech -> a complete tool call has arrived"),
    _ms("tool_resume_ms", "after the tool", "tool result sent -> next audible reply sample"),
    _ms("transcription_ms", "transcription", "end of the caller's speech -> its final transcription has arrived"),
)

_DELIVERY = (
    Metric(
        "text_tokens_per_s",
        "tokens/s",
        "text tokens/s",
        "billed text tokens of the reply / (last - first text or transcript delta); null for a single delta",
        "lower",
        "percentile",
        headline=True,
        decimals=1,
    ),
    Metric(
        "audio_tokens_per_s",
        "tokens/s",
        "audio tokens/s",
        "billed audio tokens of the reply / (last - first audio delta); null for a single delta",
        "lower",
        "percentile",
        decimals=1,
    ),
    Metric(
        "audio_rtf",
        "x",
        "delivery speed",
        "seconds of reply audio / seconds from its first to its last delta; below 1 a listener must wait",
        "lower",
        "percentile",
        decimals=2,
    ),
    Metric(
        "reply_audio_ms", "ms", "reply length", "length of the reply's audio at the output rate", None, "percentile"
    ),
    Metric(
        "stalls",
        "count",
        "stalls",
        "silences in mid-reply of a listener whose jitter buffer ran dry and filled again",
        "higher",
        "sum",
    ),
    _ms("stall_ms", "stall time", "length of all stalls of a reply together"),
    _ms("longest_stall_ms", "longest stall", "length of the longest stall of a reply; 0 when there was none"),
    _ms(
        "underrun_ms",
        "underrun",
        "worst deficit of a player that starts at the first chunk and never re-buffers; null for a single chunk",
    ),
)

_WORDS = (
    Metric(
        "wer",
        "share",
        "WER",
        "(substitutions + deletions + insertions) / reference words, on normalised text, of the server's transcription "
        "of the caller; pooled over turns",
        "higher",
        "pooled",
        headline=True,
        decimals=4,
    ),
    Metric(
        "wer_raw",
        "share",
        "raw WER",
        "the same on the texts as they are, case and punctuation included; pooled by reference words",
        "higher",
        "percentile",
        decimals=4,
    ),
    Metric(
        "cer",
        "share",
        "CER",
        "character errors / reference characters on normalised text, for languages without spaces between words; "
        "pooled over turns",
        "higher",
        "pooled",
        decimals=4,
    ),
    Metric("hits", "words", "words right", "reference words that were transcribed as they are", "lower", "sum"),
    Metric("substitutions", "words", "words wrong", "reference words transcribed as another word", "higher", "sum"),
    Metric("deletions", "words", "words lost", "reference words missing from the transcription", "higher", "sum"),
    Metric("insertions", "words", "words added", "transcribed words that nobody said", "higher", "sum"),
)

_MONEY = (
    _tokens("in_text", "text tokens in", "billed text input tokens, cached ones included"),
    _tokens("in_audio", "audio tokens in", "billed audio input tokens, cached ones included"),
    _tokens("in_image", "image tokens in", "billed image input tokens, cached ones included"),
    _tokens("in_cached_text", "cached text tokens", "the part of the text input tokens that came from the cache"),
    _tokens("in_cached_audio", "cached audio tokens", "the part of the audio input tokens that came from the cache"),
    _tokens("in_cached_image", "cached image tokens", "the part of the image input tokens that came from the cache"),
    _tokens("out_text", "text tokens out", "billed text output tokens, the transcript of the reply included"),
    _tokens("out_audio", "audio tokens out", "billed audio output tokens"),
    _tokens("transcription_in_text", "transcription text in", "text tokens billed as input of the transcription"),
    _tokens("transcription_in_audio", "transcription audio in", "audio tokens billed as input of the transcription"),
    _tokens("transcription_out_text", "transcription text out", "text tokens billed as output of the transcription"),
    Metric(
        "transcription_seconds",
        "s",
        "transcribed seconds",
        "seconds of audio billed for the transcription",
        None,
        "sum",
        decimals=1,
    ),
    _usd(
        "cost_usd",
        "cost",
        "priced usage, all meters, by the dated price book; null when a used meter has no known price or count",
        headline=True,
    ),
    _usd("cost_partial_usd", "known part of the cost", "the meters that could be priced, where `cost_usd` is null"),
    _usd("cost_input_usd", "input cost", "input tokens outside the cache, all modalities"),
    _usd("cost_cached_usd", "cached input cost", "input tokens from the cache, all modalities"),
    _usd("cost_output_usd", "output cost", "output tokens, text and audio"),
    _usd("cost_transcription_usd", "transcription cost", "the transcription of the caller, by its own meters"),
)

_HARNESS = (
    _ms("send_late_ms", "worst frame lateness", "our worst lateness of an audio frame against its deadline in a turn"),
    _ms(
        "decisive_late_ms",
        "decisive frame lateness",
        "our worst lateness of the frames a latency rests on: from the end of speech until the server reacted",
    ),
    _ms("recv_lag_ms", "worst receive lag", "our worst delay between a message's arrival and its reading in a turn"),
)

_RUN = (
    _share(
        "error_rate",
        "error rate",
        "turns with status `failed`, `no_reply`, `cancelled` or `incomplete` / turns that ended",
        "higher",
        headline=True,
    ),
    _share("ok_rate", "answered", "turns with status `ok` / turns that ended", "lower"),
    _share(
        "early_rate",
        "early replies",
        "turns in which the reply began before the caller had ended / turns that ended",
        "higher",
    ),
    _share("no_reply_rate", "no reply", "turns with status `no_reply` / turns that ended", "higher"),
    _share("session_error_rate", "failed calls", "calls with status `failed` / calls that were started", "higher"),
    _share("stall_rate", "replies with a stall", "turns with at least one stall / turns with reply audio", "higher"),
    _share(
        "c100",
        "C100",
        "turns with `underrun_ms` <= 100 / turns with a measured underrun; single-chunk replies are not measured",
        "lower",
    ),
    Metric(
        "cost_per_minute_usd",
        "USD",
        "cost per minute",
        "cost of the priced calls / minutes of conversation of the same calls",
        "higher",
        "ratio",
        "run",
        decimals=4,
    ),
)

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (*_LATENCY, *_DELIVERY, *_WORDS, *_MONEY, *_SESSION, *_HARNESS, *_RUN)
}
"""Every metric by its name, in the order in which a report shows them."""

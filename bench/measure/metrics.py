"""What every number means, declared once: reports, docs, thresholds and the published pages read this list.

In: nothing; out: `METRICS`, by name. A metric of scope `turn` or `session` is the column of that name in the rows;
one of scope `run` is computed from them. To add one, declare it here and fill its column.
Trap: `worse` is about the value of the metric itself ("higher" latency is worse, "lower" speed is worse).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

Unit = Literal["ms", "tokens/s", "x", "share", "count", "words", "USD", "tokens", "s", "words/min"]
Aggregate = Literal["percentile", "rate", "pooled", "sum", "ratio"]
Scope = Literal["turn", "session", "run"]
Group = Literal["latency", "stages", "captions", "connect", "taking", "delivery", "rates", "harness"]

GROUPS: dict[Group, str] = {
    "latency": "Latency",
    "stages": "Stages of a cascade, by its own clock",
    "captions": "Captions",
    "connect": "Connecting",
    "taking": "Turn taking",
    "delivery": "Speech delivery",
    "rates": "Speed (higher is better)",
    "harness": "The harness's own delay",
}
"""The tables of percentiles, with their titles, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A moment of a turn in the report's charts: its place in the usual order, and its name there."""

    place: int
    title: str
    curve: bool = False
    """Whether the share of turns that reached it is drawn over time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number: what it is called, what it means, how it is aggregated and where it is shown.

    The defaults are those of a latency of a turn in ms.
    """

    name: str
    title: str
    definition: str
    unit: Unit = "ms"
    worse: Literal["higher", "lower"] | None = "higher"
    """None: a difference is neither better nor worse."""
    aggregate: Aggregate = "percentile"
    scope: Scope = "turn"
    decimals: int = 0
    group: Group | None = None
    """The table of percentiles that shows it, in the order of declaration; None: its percentiles are not shown."""
    headline: bool = False
    """Among the key figures. The first one that waits for an answer and has values stands for the whole run."""
    waits: bool = False
    """Ends with an answer: a turn (or call) without one counts as +infinity beside the plain percentile."""
    always_shown: bool = False
    """Shown even when no value counts: that nobody answered, or that every turn was sent late, is the finding."""
    detail: bool = False
    """Left out of the terminal's tables."""
    milestone: Milestone | None = None
    of_answered: bool = True
    """Of turns that were answered alone; False where it says something of a turn however that ended."""
    expected: str | None = None
    """The column that says which rows wait for it; None: all rows do, where it `waits`."""
    version: int = 1
    """Raised when its definition changes; runs that were measured by different versions are not compared in it."""


_latency = partial(Metric, group="latency")
_stage = partial(Metric, group="stages")
_connecting = partial(Metric, scope="session", group="connect")
_caption = partial(Metric, group="captions")
_taking = partial(Metric, group="taking", of_answered=False)
_delivery = partial(Metric, group="delivery")
_speed = partial(Metric, worse="lower", group="rates")
_harness = partial(Metric, group="harness")


def _tokens(name: str, title: str, definition: str) -> Metric:
    """A count that a server billed: summed; more is dearer but not worse in itself."""
    return Metric(name, title, definition, "tokens", None, "sum")


def _usd(name: str, title: str, definition: str, *, headline: bool = False) -> Metric:
    return Metric(name, title, definition, "USD", "higher", "sum", decimals=6, headline=headline)


def _share(
    name: str, title: str, definition: str, *, worse: Literal["higher", "lower"] = "higher", headline: bool = False
) -> Metric:
    """A share of turns or calls, 0 to 1; printed in percent."""
    return Metric(name, title, definition, "share", worse, "rate", "run", 4, headline=headline)


_LATENCY = (
    _latency(
        "first_audible_ms",
        "first audible",
        "end of the caller's speech -> first audible reply sample as a listener hears it, leading silence included",
        headline=True,
        waits=True,
        always_shown=True,
        milestone=Milestone(5, "first audible", curve=True),
    ),
    _latency(
        "first_audio_ms",
        "first audio",
        "end of the caller's speech -> first reply audio byte",
        headline=True,
        waits=True,
        always_shown=True,
        milestone=Milestone(4, "first audio", curve=True),
    ),
    _latency(
        "ttft_ms",
        "TTFT",
        "end of the caller's speech -> first non-empty text or transcript delta of the reply",
        headline=True,
        waits=True,
        always_shown=True,
        milestone=Milestone(3, "first text", curve=True),
    ),
    _latency(
        "endpoint_ms",
        "endpointing",
        "end of the caller's speech -> the server says the turn ended; null in manual mode",
        headline=True,
        milestone=Milestone(1, "turn end seen", curve=True),
    ),
    _latency(
        "commit_to_first_audio_ms",
        "commit to first audio",
        "manual mode: our commit (or the request for a response) is sent -> first reply audio byte",
        waits=True,
    ),
    _latency(
        "response_created_ms",
        "response created",
        "end of the caller's speech -> the server announces its response",
        milestone=Milestone(2, "response created"),
    ),
    _latency(
        "response_done_ms",
        "response done",
        "end of the caller's speech -> the server closes its response",
        waits=True,
        milestone=Milestone(6, "reply sent"),
    ),
    _latency("leading_silence_ms", "leading silence", "first reply audio byte -> first audible reply sample"),
    _latency("tool_ms", "tool call", "end of the caller's speech -> a complete tool call has arrived"),
    _latency(
        "tool_answer_ms",
        "our tools",
        "a complete tool call has arrived -> we sent its result, the slowest of a turn",
        worse=None,
    ),
    _latency("tool_resume_ms", "after the tool", "tool result sent -> next audible reply sample"),
    _latency(
        "reply_heard_ms",
        "reply heard",
        "end of the caller's speech -> a listener with the jitter buffer has heard the last reply sample",
        waits=True,
        milestone=Milestone(7, "reply heard"),
    ),
    _latency("transcription_ms", "transcription", "end of the caller's speech -> its final transcription has arrived"),
)

_STAGES = (
    _stage(
        "stt_ms",
        "speech to text",
        "the caller's audio sent to be written down -> its words are here, as the server of a cascade tells it; null "
        "for one model, as the four below",
    ),
    _stage("llm_ttft_ms", "model's first word", "the conversation sent to the language model -> its first word"),
    _stage(
        "llm_sentence_ms",
        "first sentence",
        "first word of the language model -> something that can be spoken is complete",
    ),
    _stage("tts_ttfb_ms", "text to speech", "the first sentence sent to be spoken -> the first byte of its sound"),
    _stage(
        "cascade_own_ms",
        "the cascade itself",
        "what the cascade's own server added between the end of the turn and the first sound, beside those four",
        decimals=1,
    ),
)

_CAPTIONS = (
    _caption(
        "caption_final_ms",
        "final text",
        "end of the caller's speech -> its final text has arrived, in a session that only transcribes",
        headline=True,
        waits=True,
    ),
    _caption(
        "word_shown_ms",
        "word shown, median of a turn",
        "end of a word -> there is text in its place, the median over the words of a turn",
    ),
    _caption(
        "word_settled_ms",
        "word settled, median of a turn",
        "end of a word -> from then on it reads as in the final text, the median over the words of a turn",
    ),
    _caption(
        "word_settled_worst_ms",
        "last word settled",
        "the same of the word of a turn that took longest",
    ),
    _caption(
        "caption_rtf",
        "real-time factor",
        "time from the end of speech to its final text / length of the speech",
        unit="x",
        decimals=3,
    ),
    Metric(
        "caption_updates",
        "updates",
        "messages with words of the caller that were not final yet",
        unit="count",
        worse=None,
        aggregate="sum",
    ),
    Metric("caption_words_shown", "words shown", "words of the final texts", unit="words", worse=None, aggregate="sum"),
    Metric(
        "caption_changes",
        "words changed",
        "how often a word that was shown became another one, or was taken back",
        unit="count",
        aggregate="sum",
    ),
)

_CONNECT = (
    _connecting(
        "connect_ms",
        "connect",
        "intended start of the call -> TCP, TLS and WebSocket upgrade are done; asking for a short-lived key included",
        waits=True,
        always_shown=True,
    ),
    _connecting(
        "session_ready_ms",
        "session ready",
        "intended start of the call -> the session is configured and acknowledged",
        waits=True,
        always_shown=True,
    ),
    _connecting(
        "renew_ms",
        "renewal",
        "renewal begins, between two turns -> the new session is configured; the longest of a call",
    ),
    _connecting(
        "greeting_ms",
        "greeting",
        "session ready -> first audible sample of what the agent says before the caller has spoken",
        waits=True,
        expected="greeting_expected",
    ),
    _connecting(
        "token_ms",
        "short-lived key",
        "start of the call -> the short-lived key that it is made with has arrived; null for a call that had one",
    ),
    _connecting(
        "dns_ms", "name lookup", "start of the call, or its short-lived key -> its host name is resolved", detail=True
    ),
    _connecting("tcp_ms", "TCP", "name resolved -> TCP connection is open", detail=True),
    _connecting("tls_ms", "TLS", "TCP open -> TLS handshake is done; null without TLS", detail=True),
    _connecting("upgrade_ms", "upgrade", "TCP or TLS open -> the WebSocket upgrade is answered", detail=True),
    _connecting("duration_ms", "call length", "start of the call -> its connection is closed", worse=None, detail=True),
)

_TAKING = (
    _taking(
        "barge_in_stop_ms",
        "barge-in stop",
        "onset of the caller's interruption -> last reply sample that is heard",
        headline=True,
    ),
    _taking(
        "barge_in_seen_ms",
        "barge-in heard",
        "onset of the caller's interruption -> the server says that it hears the caller",
    ),
    _taking(
        "barge_in_at_ms",
        "heard before it",
        "length of the reply that was heard when the caller's interruption began",
        worse=None,
        detail=True,
    ),
    _taking(
        "discarded_audio_ms",
        "audio thrown away",
        "length of the interrupted reply's audio that arrived and was never heard",
    ),
    _taking(
        "truncated_ms",
        "told as heard",
        "length of the interrupted item that the server was told was heard, rounded down",
        worse=None,
        detail=True,
    ),
    _taking(
        "talk_over_ms",
        "talk-over",
        "time in which a reply was audible while the caller spoke; null for a turn in which that did not happen",
    ),
    _taking(
        "dead_air_ms",
        "dead air",
        "silence on the line from the end of the caller's speech until the reply has been heard to its end: the wait "
        "for it, its stalls, and the waits between its parts",
        of_answered=True,
    ),
    _taking(
        "longest_dead_air_ms",
        "longest dead air",
        "length of the longest of those silences",
        of_answered=True,
        detail=True,
    ),
)

_DELIVERY = (
    _delivery(
        "stalls",
        "stalls",
        "silences in mid-reply of a listener whose jitter buffer ran dry and filled again",
        unit="count",
        aggregate="sum",
    ),
    _delivery("stall_ms", "stall time", "length of all stalls of a reply together"),
    _delivery(
        "longest_stall_ms",
        "longest stall",
        "length of the longest stall of a reply; 0 when there was none",
        detail=True,
    ),
    _delivery(
        "underrun_ms",
        "underrun",
        "worst deficit of a player that starts at the first chunk and never re-buffers; null for a single chunk",
    ),
    _delivery(
        "reply_audio_ms", "reply length", "length of the reply's audio at the output rate", worse=None, detail=True
    ),
    _delivery(
        "reply_words_per_min",
        "speech rate",
        "words of the reply's transcript / minutes of its audio from the first audible sample on",
        unit="words/min",
        worse=None,
    ),
)

_SPEED = (
    _speed(
        "text_tokens_per_s",
        "text tokens/s",
        "billed text tokens of the reply, reasoning left out / (last - first text or transcript delta); null for a "
        "single delta",
        unit="tokens/s",
        decimals=1,
        headline=True,
    ),
    _speed(
        "audio_tokens_per_s",
        "audio tokens/s",
        "billed audio tokens of the reply / (last - first audio delta); null for a single delta",
        unit="tokens/s",
        decimals=1,
    ),
    _speed(
        "audio_rtf",
        "delivery speed",
        "seconds of reply audio / seconds from its first to its last delta; below 1 a listener must wait",
        unit="x",
        decimals=2,
    ),
)

_HARNESS = (
    _harness(
        "decisive_late_ms",
        "decisive frame lateness",
        "our worst lateness of the frames a latency rests on: from the end of speech until the server reacted",
    ),
    _harness(
        "send_late_ms", "worst frame lateness", "our worst lateness of an audio frame against its deadline in a turn"
    ),
    _harness(
        "recv_lag_ms", "worst receive lag", "our worst delay between a message's arrival and its reading in a turn"
    ),
    _harness(
        "gap_ms",
        "gap",
        "the longest span in which our process stood still and which touched what the turn's latencies rest on",
    ),
    _harness("start_late_ms", "start late", "intended start of the call -> our own loop began it", scope="session"),
)

_WORDS = (
    Metric(
        "wer",
        "WER",
        "(substitutions + deletions + insertions) / reference words, on normalised text, of the server's transcription "
        "of the caller; pooled over turns",
        unit="share",
        aggregate="pooled",
        decimals=4,
        headline=True,
    ),
    Metric(
        "wer_raw",
        "raw WER",
        "the same on the texts as they are, case and punctuation included; pooled by reference words",
        unit="share",
        aggregate="pooled",
        decimals=4,
    ),
    Metric(
        "wer_whisper",
        "WER, whisper's normaliser",
        "the same on texts through whisper-normalizer alone, to compare with other tools; pooled by reference words",
        unit="share",
        aggregate="pooled",
        decimals=4,
    ),
    Metric(
        "cer",
        "CER",
        "character errors / reference characters on normalised text, for languages without spaces between words; "
        "pooled over turns",
        unit="share",
        aggregate="pooled",
        decimals=4,
    ),
    Metric(
        "reply_wer",
        "reply WER",
        "(substitutions + deletions + insertions) / words of the reply's transcript, of what a local recogniser hears "
        "of the reply's audio after the run; pooled over turns",
        unit="share",
        aggregate="pooled",
        decimals=4,
    ),
    Metric(
        "hits",
        "words right",
        "reference words that were transcribed as they are",
        unit="words",
        worse="lower",
        aggregate="sum",
    ),
    Metric(
        "substitutions", "words wrong", "reference words transcribed as another word", unit="words", aggregate="sum"
    ),
    Metric("deletions", "words lost", "reference words missing from the transcription", unit="words", aggregate="sum"),
    Metric("insertions", "words added", "transcribed words that nobody said", unit="words", aggregate="sum"),
)

_USAGE = (
    _tokens("in_text", "text tokens in", "billed text input tokens, cached ones included"),
    _tokens("in_audio", "audio tokens in", "billed audio input tokens, cached ones included"),
    _tokens("in_image", "image tokens in", "billed image input tokens, cached ones included"),
    _tokens("in_cached_text", "cached text tokens", "the part of the text input tokens that came from the cache"),
    _tokens("in_cached_audio", "cached audio tokens", "the part of the audio input tokens that came from the cache"),
    _tokens("in_cached_image", "cached image tokens", "the part of the image input tokens that came from the cache"),
    _tokens("in_total", "tokens in", "billed input tokens of all modalities, as the server gave the total"),
    _tokens("out_text", "text tokens out", "billed text output tokens, the transcript of the reply included"),
    _tokens("out_audio", "audio tokens out", "billed audio output tokens"),
    _tokens(
        "out_reasoning", "reasoning tokens", "the part of the text output tokens that was reasoning and was not sent"
    ),
    _tokens("out_total", "tokens out", "billed output tokens of all modalities, as the server gave the total"),
    _tokens("transcription_in_text", "transcription text in", "text tokens billed as input of the transcription"),
    _tokens("transcription_in_audio", "transcription audio in", "audio tokens billed as input of the transcription"),
    _tokens("transcription_out_text", "transcription text out", "text tokens billed as output of the transcription"),
    Metric(
        "transcription_seconds",
        "transcribed seconds",
        "seconds of audio billed for the transcription",
        unit="s",
        worse=None,
        aggregate="sum",
        decimals=1,
    ),
    Metric(
        "speech_characters",
        "characters spoken",
        "characters that a cascade sent to be spoken; null for one model",
        unit="count",
        worse=None,
        aggregate="sum",
    ),
    Metric(
        "speech_seconds",
        "seconds spoken",
        "seconds of sound that a cascade was given by its speech service",
        unit="s",
        worse=None,
        aggregate="sum",
        decimals=1,
    ),
)

_COST = (
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
    _usd("cost_speech_usd", "speech cost", "what a cascade had spoken, by characters or by minutes of sound"),
    _usd("cost_transcription_usd", "transcription cost", "the transcription of the caller, by its own meters"),
)

_RATES = (
    _share(
        "connect_error_rate",
        "calls that never became ready",
        "calls that were never configured and acknowledged / calls that the end of the run did not cut off before that",
    ),
    _share(
        "no_greeting_rate",
        "calls without a greeting",
        "calls that listened for a greeting and heard none / calls that listened for one",
    ),
    _share(
        "expired_rate",
        "calls ended by the server's limit",
        "calls that the server ended because their session was too old (`session_expired`) / calls that became ready",
    ),
    _share("session_error_rate", "failed calls", "calls with status `failed` / calls that were started"),
    _share(
        "error_rate",
        "turn errors",
        "turns with status `failed`, `no_reply`, `cancelled` or `incomplete` / turns that ended",
        headline=True,
    ),
    _share("no_reply_rate", "of these, no reply at all", "turns with status `no_reply` / turns that ended"),
    _share(
        "early_rate", "early replies", "turns in which the reply began before the caller had ended / turns that ended"
    ),
    _share(
        "split_turn",
        "split utterances",
        "turns whose one utterance the server took in as several / turns in which it says what it took in",
    ),
    Metric(
        "barge_in_rate",
        "interruptions that cut in",
        "turns that cut into a reply / turns that were to; the others came when the reply was over",
        unit="share",
        worse=None,
        aggregate="rate",
        scope="run",
        decimals=4,
    ),
    _share(
        "false_barge_in",
        "false barge-ins",
        "turns whose reply stopped for a backchannel, a sound that is no turn / turns with one in their reply",
    ),
    _share(
        "talk_over_rate",
        "turns with talk-over",
        "turns in which a reply was audible while the caller spoke / turns that ended",
    ),
    _share(
        "tool_error_rate",
        "tool calls gone wrong",
        "turns with a tool call that was of an unknown tool, broke its schema, timed out or failed / turns with one",
    ),
    _share("ok_rate", "answered", "turns with status `ok` / turns that ended", worse="lower"),
    _share("stall_rate", "replies with a stall", "turns with at least one stall / turns with reply audio"),
    _share(
        "stall_free",
        "replies without a stall",
        "turns without any stall / turns with reply audio",
        worse="lower",
    ),
    _share(
        "goodput",
        "goodput",
        "turns that were answered and kept every objective of the scenario, or of their phase where it has its own / "
        "turns that ended",
        worse="lower",
    ),
    _share(
        "task_success",
        "task success",
        "turns whose expectations were all met / turns with expectations",
        worse="lower",
    ),
    *(
        _share(
            f"c{bound}",
            f"C{bound}: underrun of at most {bound} ms",
            f"turns with `underrun_ms` <= {bound} / turns with a measured underrun; single-chunk replies are not "
            "measured",
            worse="lower",
        )
        for bound in (50, 100, 200)
    ),
    Metric(
        "cost_per_minute_usd",
        "cost per minute",
        "cost of the priced calls / minutes of conversation of the same calls",
        unit="USD",
        aggregate="ratio",
        scope="run",
        decimals=4,
    ),
)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for group in (
        _LATENCY,
        _STAGES,
        _CAPTIONS,
        _CONNECT,
        _TAKING,
        _DELIVERY,
        _SPEED,
        _HARNESS,
        _WORDS,
        _USAGE,
        _COST,
        _RATES,
    )
    for metric in group
}
"""Every metric by its name, in the order in which a report shows them."""


def metric_versions() -> dict[str, int]:
    """The version of every definition, to be stored with what was measured by it."""
    return {metric.name: metric.version for metric in METRICS.values()}


def headline_latencies() -> list[Metric]:
    """The latencies that may stand for a whole run, the preferred one first."""
    return [metric for metric in METRICS.values() if metric.headline and metric.waits]


def milestones() -> list[tuple[Metric, Milestone]]:
    """The moments of a turn that the charts show, in their usual order."""
    found = [(metric, metric.milestone) for metric in METRICS.values() if metric.milestone]
    return sorted(found, key=lambda pair: pair[1].place)

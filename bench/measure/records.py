"""The two row types that everything downstream folds over: one per turn, one per session.

Columns are the contract of `turns.parquet` and `sessions.parquet`: add freely, never rename.
Trap: `None` means "not measured" and must stay `None` to the last table; a zero is a measured zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TurnStatus = Literal["ok", "early", "no_reply", "interrupted", "cancelled", "incomplete", "failed"]
SessionStatus = Literal["ok", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class WallAnchor:
    """One instant on both clocks of a worker, so that monotonic stamps can be shown as dates (never subtracted)."""

    monotonic_ns: int
    unix_s: float

    def wall(self, at_ns: int) -> float:
        """Unix seconds of the monotonic instant `at_ns`."""
        return self.unix_s + (at_ns - self.monotonic_ns) / 1e9


@dataclass(slots=True, kw_only=True)
class TurnRecord:
    """One caller turn and its reply. Times in ms are measured from the acoustic end of the caller's speech."""

    # identity
    run_id: str
    worker: str
    session_id: str
    session_index: int
    caller: int
    turn: int
    step: int
    step_id: str | None = None
    """What the scenario calls the step (`id:`); null where it gave it no name."""
    scenario: str
    phase: str
    """In which the turn began; that of its call may be an earlier one."""
    phase_ended: str | None = None
    """In which it ended: not `phase` where the turn ran over the end of its phase; null in an older run."""
    warmup: bool
    target: str | None = None
    """Its name under `targets`, or the label of the only one; null in a run of an older version."""
    provider: str
    model: str | None
    dialect: str
    transport: str
    fixture: str
    language: str
    accent: str
    voice: str
    caller_kind: str | None = None
    """Who speaks the recording: human, synthetic or unknown; null in a run of an older version."""
    condition: str | None
    cell: str | None = None
    """The cell of the scenario's matrix; null without one."""
    open_sessions: int | None
    talking_sessions: int | None
    manual: bool
    session_type: str = "realtime"
    """`transcription`: the session only writes down what it hears."""
    renewals: int = 0
    """How often its call had gone on in a new session when it began."""
    started_at: float
    """Wall-clock seconds (Unix) of the turn's first sample, from the worker's anchor; for plotting only."""
    ended_at: float | None
    speech_start_ms: float | None = None
    """From the turn's first sample to the start of the caller's speech in it; null in an older run."""
    speech_ms: float
    """Length of the caller's speech, annotated start to end."""

    # outcome
    status: TurnStatus
    error_kind: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    close_code: int | None = None
    stage: str | None = None
    client_late: bool = False
    cross_talk_with: str | None = None
    """The call whose words this turn holds; known once all rows of a run lie side by side."""

    # latency, ms
    endpoint_ms: float | None = None
    ttft_ms: float | None = None
    first_audio_ms: float | None = None
    first_audible_ms: float | None = None
    commit_to_first_audio_ms: float | None = None
    response_created_ms: float | None = None
    response_done_ms: float | None = None
    reply_heard_ms: float | None = None
    """End of speech -> the listener has heard the last reply sample."""
    leading_silence_ms: float | None = None
    stt_ms: float | None = None
    """The stages of a cascade, as its server tells them; null for one model. Words of the caller asked for -> here."""
    llm_ttft_ms: float | None = None
    """Answer asked for -> its first word."""
    llm_sentence_ms: float | None = None
    """First word -> something that can be spoken."""
    tts_ttfb_ms: float | None = None
    """Its sound asked for -> the first byte of it."""
    cascade_own_ms: float | None = None
    """What the cascade itself added to those four."""
    split_turn: bool | None = None
    """Whether the server took one utterance in as several; null in push to talk, and where nothing says so."""
    barge_in: bool | None = None
    """Whether the caller cut into a reply, in a turn that was to; null for other turns."""
    barge_in_at_ms: float | None = None
    """How much of that reply was heard when the caller began to speak."""
    barge_in_seen_ms: float | None = None
    barge_in_stop_ms: float | None = None
    discarded_audio_ms: float | None = None
    truncated_ms: float | None = None
    """What the server was told was heard of the item that the caller cut into."""
    talk_over_ms: float | None = None
    dead_air_ms: float | None = None
    """Silence on the line from the end of the caller's speech until the reply has been heard to its end."""
    longest_dead_air_ms: float | None = None
    backchannels: int | None = None
    """How many sounds the caller made while it heard the reply; null where it was not to make any."""
    false_barge_in: bool | None = None
    """Whether the reply stopped for one of them."""
    tool_ms: float | None = None
    tool_answer_ms: float | None = None
    """How long the slowest of our own tools took; what the server waited for, and no delay of its own."""
    tool_resume_ms: float | None = None
    tool_calls: int | None = None
    """Tool calls of the turn; null without any."""
    tool_rounds: int | None = None
    """How often the agent got results and was asked to go on."""
    tools_called: str | None = None
    """The calls as JSON: a list of `{name, arguments, error, detail}`."""
    tool_error: str | None = None
    """What went wrong with the first call that did: unknown_tool, bad_arguments, tool_timeout, tool_failed or
    too_many_calls; null where all went well."""
    preamble: bool | None = None
    """Whether the agent spoke before it had the first result."""

    # reply delivery
    responses: int = 0
    text_deltas: int = 0
    audio_deltas: int = 0
    reply_audio_ms: float | None = None
    reply_words_per_min: float | None = None
    """How fast the agent spoke, without the silence before its first audible sample."""
    text_tokens_per_s: float | None = None
    audio_tokens_per_s: float | None = None
    audio_rtf: float | None = None
    stalls: int | None = None
    stall_ms: float | None = None
    longest_stall_ms: float | None = None
    underrun_ms: float | None = None

    # captions, of a session that only writes down
    caption_final_ms: float | None = None
    word_shown_ms: float | None = None
    """The median of the turn's words; those of all words are in `caption_words`."""
    word_settled_ms: float | None = None
    word_settled_worst_ms: float | None = None
    caption_rtf: float | None = None
    caption_updates: int | None = None
    """Messages with words that were not final yet."""
    caption_words_shown: int | None = None
    caption_changes: int | None = None
    """How often a word that was shown became another one, or went."""
    caption_words: str | None = None
    """For each word, as JSON: its end -> shown, and its end -> settled, in ms."""

    # words
    reference: str | None = None
    hypothesis: str | None = None
    reply_text: str | None = None
    wer: float | None = None
    wer_raw: float | None = None
    wer_whisper: float | None = None
    hits: int | None = None
    substitutions: int | None = None
    deletions: int | None = None
    insertions: int | None = None
    cer: float | None = None
    char_errors: int | None = None
    reference_chars: int | None = None
    normaliser: str | None = None
    """Name and version of the text normaliser behind the counts."""
    transcription_ms: float | None = None
    transcription_error: str | None = None
    reply_hypothesis: str | None = None
    """What a local recogniser heard of the reply after the run; null unless that was asked for, as the next ones."""
    reply_wer: float | None = None
    reply_hits: int | None = None
    reply_substitutions: int | None = None
    reply_deletions: int | None = None
    reply_insertions: int | None = None
    reply_normaliser: str | None = None
    expectations: str | None = None
    """What the step expects of the reply, as JSON; null for nothing."""
    expect_pass: bool | None = None
    """Whether every expectation of the step was met; null for a step without any."""
    expect_failed: str | None = None
    """The expectations that were not met, each with what was found instead."""

    # usage and money
    in_text: int | None = None
    in_audio: int | None = None
    in_image: int | None = None
    in_cached_text: int | None = None
    in_cached_audio: int | None = None
    in_cached_image: int | None = None
    in_total: int | None = None
    """As the server gave it; the only count where it did not say of which modality."""
    out_text: int | None = None
    out_audio: int | None = None
    out_reasoning: int | None = None
    out_total: int | None = None
    transcription_seconds: float | None = None
    transcription_in_text: int | None = None
    transcription_in_audio: int | None = None
    transcription_out_text: int | None = None
    transcription_model: str | None = None
    speech_characters: int | None = None
    """Text that a cascade sent to be spoken; null for one model."""
    speech_seconds: float | None = None
    speech_model: str | None = None
    cost_usd: float | None = None
    """Null as soon as one billed meter has no known price or count; then `cost_partial_usd` holds the rest."""
    cost_partial_usd: float | None = None
    cost_unknown: str | None = None
    """The meters that were used and have no sum, each with its reason: `transcription (no price for ...)`."""
    cost_note: str | None = None
    cost_input_usd: float | None = None
    cost_cached_usd: float | None = None
    cost_output_usd: float | None = None
    cost_transcription_usd: float | None = None
    cost_speech_usd: float | None = None

    # rate limits, as the call knew them when the turn had ended
    rate_limit_requests_limit: float | None = None
    rate_limit_requests_remaining: float | None = None
    rate_limit_requests_reset_s: float | None = None
    rate_limit_tokens_limit: float | None = None
    rate_limit_tokens_remaining: float | None = None
    rate_limit_tokens_reset_s: float | None = None

    # the harness itself
    send_late_ms: float | None = None
    """Worst lateness of any frame of the turn."""
    decisive_late_ms: float | None = None
    """Worst lateness of the frames that a latency rests on: from the end of speech until the server reacted."""
    recv_lag_ms: float | None = None
    gap_ms: float | None = None
    """The longest span in which this process did not run and which touched what the turn's numbers rest on."""
    frames: int = 0


@dataclass(slots=True, kw_only=True)
class SessionRecord:
    """One call from its intended start to its close; `cost_usd` sums its turns and `other_cost_usd`, null if one
    lacks a price.

    `other_*`: what the call was billed outside the rows of its turns - responses that nobody asked for, or of a turn
    that the end of the run cut off, and counts that came after a row was written.
    """

    run_id: str
    worker: str
    session_id: str
    session_index: int
    caller: int
    scenario: str
    phase: str
    """In which the call was meant to begin."""
    phase_ended: str | None = None
    warmup: bool
    cell: str | None = None
    target: str | None = None
    provider: str
    model: str | None
    dialect: str
    transport: str
    started_at: float
    ended_at: float | None
    status: SessionStatus
    error_kind: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    close_code: int | None = None
    close_reason: str | None = None
    http_status: int | None = None
    stage: str | None = None
    start_late_ms: float | None = None
    """How late our own loop started the call against its plan; part of `connect_ms`, shown apart."""
    token: str | None = None
    """How the call came by its short-lived key: `new`, or `kept` from an earlier call; null without one."""
    token_ms: float | None = None
    dns_ms: float | None = None
    tcp_ms: float | None = None
    tls_ms: float | None = None
    upgrade_ms: float | None = None
    connect_ms: float | None = None
    session_ready_ms: float | None = None
    duration_ms: float | None = None
    renewals: int = 0
    """How often the call went on in a new session."""
    renewed_by: str | None = None
    """Why, with counts: `after`, `expiry`, `notice`; null without renewals."""
    renewals_failed: int = 0
    """Renewals that led to no session: the call failed with what went wrong, at the stage where it did."""
    renewals_resumed: int | None = None
    """Those in which the server went on with the context of the session before."""
    renewals_retold: int | None = None
    """Texts of earlier turns that new sessions were told."""
    renew_ms: float | None = None
    server_session_ids: str | None = None
    """The sessions of a renewed call by the server's names; `server_session_id` is the first."""
    session_lifetime_s: float | None = None
    """How long the server said, when the session began, that it lasts."""
    expiry_notice_ms: float | None = None
    """How long before its end the server announced it; null where it did not."""
    greeting_expected: bool = False
    """Whether the caller waited for the agent to speak first."""
    greeting_ms: float | None = None
    greeting_audio_ms: float | None = None
    greeting_text: str | None = None
    idle_timeouts: int = 0
    """How often the server spoke of its own accord because the caller was silent; billed in `other_*`."""
    turns_planned: int = 0
    turns_ended: int = 0
    turns_ok: int = 0
    server_session_id: str | None = None
    server_model: str | None = None
    """As the server names it; its prices count where no book lists the model that was asked for."""
    kernel_stamps: bool = False
    peer: str | None = None
    caller_audio_ms: float | None = None
    """Audio sent while the microphone was open, silence included."""
    reply_audio_ms: float | None = None
    malformed: int = 0
    unrecognised: int = 0
    unrecognised_events: str | None = None
    """What they were called and how often: `name x count; ...`."""
    session_differences: str | None = None
    """What the server set otherwise than it was asked to."""
    server_errors: int = 0
    dropped_signals: int = 0
    rate_limit_requests_limit: float | None = None
    """As the server told it last, by event or, where no event came, by a header of the handshake."""
    rate_limit_requests_remaining: float | None = None
    rate_limit_requests_reset_s: float | None = None
    rate_limit_tokens_limit: float | None = None
    rate_limit_tokens_remaining: float | None = None
    rate_limit_tokens_reset_s: float | None = None
    rate_limits: str | None = None
    """All that was told of every limit in the call, as JSON (`bench.measure.rate_limits.LimitTold`)."""
    retry_after_s: float | None = None
    """How long the answer to the handshake asked to wait."""
    cost_usd: float | None = None
    cost_partial_usd: float | None = None
    cost_unknown: str | None = None
    other_responses: int = 0
    other_in_text: int | None = None
    other_in_audio: int | None = None
    other_in_image: int | None = None
    other_in_cached_text: int | None = None
    other_in_cached_audio: int | None = None
    other_in_cached_image: int | None = None
    other_in_total: int | None = None
    other_out_text: int | None = None
    other_out_audio: int | None = None
    other_out_reasoning: int | None = None
    other_out_total: int | None = None
    other_transcription_seconds: float | None = None
    other_transcription_in_text: int | None = None
    other_transcription_in_audio: int | None = None
    other_transcription_out_text: int | None = None
    other_speech_characters: int | None = None
    other_speech_seconds: float | None = None
    other_speech_model: str | None = None
    other_cost_usd: float | None = None
    other_cost_partial_usd: float | None = None
    other_cost_unknown: str | None = None
    other_cost_note: str | None = None
    other_cost_input_usd: float | None = None
    other_cost_cached_usd: float | None = None
    other_cost_output_usd: float | None = None
    other_cost_transcription_usd: float | None = None
    other_cost_speech_usd: float | None = None
    send_late_ms: float | None = None
    recv_lag_ms: float | None = None
    gap_ms: float | None = None
    """The longest span in which this process did not run while the call came up, or failed: its waits leave the
    percentiles, and its failure is not the target's."""

"""What one call did and saw: the only thing that passes from `session` to `measure` and `store`.

A `Timeline` holds the session's own acts (when it meant to start, connected, spoke, committed, hung up) and every
signal with two stamps: when it reached the kernel (`signal.at_ns`) and when our loop read it (`read_ns`).
Trap: nothing here is computed; a number that can be derived belongs in `bench.measure`, so that it can be
derived again later from the stored events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bench.facts.acts import Cut, Listening, Sound, ToolUse, cut_from_dict
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.gaps import Gap
from bench.facts.renewal import Renewal, renewal_from_dict
from bench.facts.signals import Signal, signal_from_dict, signal_to_dict

TurnEnd = Literal["completed", "interrupted", "reply_timeout", "response_timeout", "closed", "stopped", "error"]
"""`interrupted`: the caller cut in before the server had closed the response, as the scenario asked."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The identity that every row of a session carries."""

    run_id: str
    worker: str
    session_id: str
    session_index: int
    caller: int
    scenario: str
    provider: str
    model: str | None
    dialect: str
    transport: str
    phase: str = "main"
    warmup: bool = False
    cell: str | None = None
    """The cell of the scenario's matrix; None without one."""
    target: str | None = None
    """The name of the target; None in a run of an older version."""


@dataclass(slots=True)
class TurnFacts:
    """One utterance of the caller as it was played, on the media clock of its session (monotonic ns)."""

    index: int
    step: int
    fixture: str
    t0_ns: int
    speech_start_ns: int
    speech_end_ns: int
    utterance_end_ns: int
    reference: str
    language: str
    accent: str
    voice: str
    caller_kind: str = "unknown"
    """Who speaks the recording: human or synthetic."""
    step_id: str | None = None
    """What the scenario calls the step; None where it gave it no name."""
    condition: str | None = None
    phase: str = "main"
    """In which it began; that of its call may be an earlier one."""
    warmup: bool = False
    phase_ended: str | None = None
    """In which it ended; None for one that did not, and in a run of an older version."""
    open_sessions: int | None = None
    talking_sessions: int | None = None
    commit_ns: int | None = None
    """When the first message that ends the turn is handed over: no answer to it arrives before."""
    response_request_ns: int | None = None
    """When the last of them has been handed over, so that lateness holds what sending took."""
    frames: int = 0
    frame_late_us: list[int] = field(default_factory=list)
    """Lateness of each frame of this turn against its deadline, microseconds, in order of sending."""
    ended_ns: int | None = None
    end: TurnEnd | None = None
    failure: Failure | None = None
    word_ends_ns: list[int] | None = None
    """When each word of `reference` ends, on the media clock; None where that is not known, or was not asked."""
    expect: dict[str, Any] | None = None
    """What the step expects of the reply; None for nothing."""
    interrupts: bool = False
    """The step was to cut into the reply before it."""
    cuts_into: int | None = None
    """Number of the response that the caller cut into; None when it had been heard to its end by then."""
    transcription_cut: bool = False
    """The call ended before the transcription of the turn had come, or its bound had run out."""
    entries_measured: int | None = None
    """How many entries the call had when this turn was measured: what came later is not part of the turn's row."""
    gaps_measured: int | None = None
    """How many of the call's gaps were known then, and below, how many of its cuts."""
    cuts_measured: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A signal as it was met, with what it was attributed to when it came (see `bench.facts.attribution`)."""

    signal: Signal
    read_ns: int
    turn: int | None
    """Index of its turn; None before the first, and for what belongs to the call alone."""
    response: int | None = None
    """Number of its response, counted over the call; None for what is no part of a response."""


@dataclass(slots=True)
class Timeline:
    """Everything known of one call. `output_rate_hz` is the sample rate of its reply audio."""

    labels: Labels
    connection: Connection
    output_rate_hz: int
    manual: bool
    turns_planned: int
    transcription_expected: bool
    transcription_model: str | None = None
    transcription_bound_ms: float | None = None
    """How long after a turn's end its transcription was waited for; a later one is not part of the row."""
    transcribes: bool = False
    """The session writes down what it hears and answers nothing: a turn ends with its transcription."""
    audio_expected: bool = True
    """Replies are spoken; False for a session that asks for text."""
    frame_ms: float | None = None
    frames_sent: int = 0
    """Frames of the whole call, silence included."""
    jitter_buffer_ms: float = 60.0
    client_late_ms: float | None = None
    """A turn whose decisive frames were sent later than this is the harness's fault and leaves the percentiles."""
    turns: list[TurnFacts] = field(default_factory=list)
    listenings: list[Listening] = field(default_factory=list)
    """When the caller waited for the agent to speak, in order."""
    sounds: list[Sound] = field(default_factory=list)
    """What the caller made heard while it listened, in order."""
    cuts: list[Cut] = field(default_factory=list)
    """When our playback of a response was stopped, in order."""
    tools: list[ToolUse] = field(default_factory=list)
    """Tool calls that we answered, in order of arrival."""
    renewals: list[Renewal] = field(default_factory=list)
    """New sessions in which the call went on, in order; `connection` is that of the first."""
    entries: list[Entry] = field(default_factory=list)
    failure: Failure | None = None
    close_code: int | None = None
    close_reason: str | None = None
    phase_ended: str | None = None
    """In which the call ended; None in a run of an older version."""
    stopped: bool = False
    """The run was asked to stop before this call had said all of its turns."""
    gaps: list[Gap] = field(default_factory=list)
    """When this process did not run during the call, in the order in which that became known."""
    dropped_signals: int = 0
    """Signals beyond the bound on what one session stores (a server that repeats one error for every frame)."""

    def cut_into(self, turn: TurnFacts) -> int | None:
        """The response of `turn` that a later turn's caller cut into."""
        for later in self.turns[turn.index + 1 :]:
            if later.cuts_into is not None:
                owner = next((entry.turn for entry in self.entries if entry.response == later.cuts_into), None)
                if owner == turn.index:
                    return later.cuts_into
        return None

    def of_turn(self, index: int) -> list[Entry]:
        """The entries attributed to turn `index` until it was measured, in order of reading."""
        until = next((turn.entries_measured for turn in self.turns if turn.index == index), None)
        entries = self.entries if until is None else self.entries[:until]
        return [entry for entry in entries if entry.turn == index]


FORMAT = 3
"""Version of the stored form. 1 had fixed connection stages, no error kinds and no response numbers; 2 did not say
what was measured of a turn, and gave it what came after its end."""


def timeline_to_dict(timeline: Timeline) -> dict[str, Any]:
    """A JSON-ready form; the inverse is `timeline_from_dict`."""
    data = {name: getattr(timeline, name) for name in Timeline.__slots__}
    data["format"] = FORMAT
    data["labels"] = asdict(timeline.labels)
    data["connection"] = asdict(timeline.connection)
    data["gaps"] = [asdict(gap) for gap in timeline.gaps]
    data["sounds"] = [asdict(sound) for sound in timeline.sounds]
    data["cuts"] = [asdict(cut) for cut in timeline.cuts]
    data["tools"] = [asdict(use) for use in timeline.tools]
    data["renewals"] = [asdict(each) for each in timeline.renewals]
    data["listenings"] = [asdict(each) for each in timeline.listenings]
    data["turns"] = [_turn_to_dict(turn) for turn in timeline.turns]
    data["failure"] = asdict(timeline.failure) if timeline.failure else None
    data["entries"] = [
        {"read_ns": entry.read_ns, "turn": entry.turn, "response": entry.response, **signal_to_dict(entry.signal)}
        for entry in timeline.entries
    ]
    return data


def _turn_to_dict(turn: TurnFacts) -> dict[str, Any]:
    """Like `asdict`, without its deep copy of a thousand lateness figures: this runs while calls are on."""
    data = {name: getattr(turn, name) for name in TurnFacts.__slots__}
    data["failure"] = asdict(turn.failure) if turn.failure else None
    return data


def timeline_from_dict(data: Mapping[str, Any]) -> Timeline:
    """Rebuild a timeline from its stored form. Raises `KeyError` or `TypeError` when it is not one of this version."""
    values = {name: data[name] for name in Timeline.__slots__ if name in data}
    values["labels"] = Labels(**data["labels"])
    values["connection"] = Connection(**data["connection"])
    values["turns"] = [TurnFacts(**{**turn, "failure": _failure(turn.get("failure"))}) for turn in data["turns"]]
    values["entries"] = [
        Entry(
            signal_from_dict({name: value for name, value in raw.items() if name not in _OF_ENTRY}),
            *(raw.get(name) for name in _OF_ENTRY),
        )
        for raw in data["entries"]
    ]
    values["gaps"] = [Gap(**gap) for gap in data.get("gaps", ())]
    values["sounds"] = [Sound(**sound) for sound in data.get("sounds", ())]
    values["cuts"] = [cut_from_dict(cut) for cut in data.get("cuts", ())]
    values["tools"] = [ToolUse(**use) for use in data.get("tools", ())]
    values["renewals"] = [renewal_from_dict(each) for each in data.get("renewals", ())]
    values["listenings"] = [Listening(**each) for each in data.get("listenings", ())]
    values["failure"] = _failure(data.get("failure"))
    return Timeline(**values)


_OF_ENTRY = ("read_ns", "turn", "response")


def _failure(data: Mapping[str, Any] | None) -> Failure | None:
    return Failure(**data) if data else None

"""How many calls and when, what the listener is like, how long to wait, and what it costs: the blocks about a run.

In: the `load:`, `listener:`, `timeouts:` and `pricing:` blocks. Out: whole milliseconds, counts, rates per minute.
Trap: warm-up comes on top of the bound of its own kind only: 10 calls on top of `sessions`, 30s on top of `duration`;
10 calls with `duration`, or 30s with `sessions`, are the first part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from bench.config.block import (
    Block,
    Complaint,
    Count,
    DurationMs,
    LongerMs,
    PositiveRate,
    RatePerMin,
    Text,
    refusal,
    relative_to_base,
)
from bench.config.units import DURATION_HELP, DURATION_PATTERN, format_duration, parse_duration
from bench.scenario.load_level import Level
from bench.scenario.phase_config import NOT_WITH_PHASES, PhaseConfig, kind_of, phase_complaints
from bench.scenario.search_config import SearchConfig, wrong_kind
from bench.transport.channel import MAX_MESSAGE_BYTES

Arrival = Literal["closed", "constant", "poisson", "schedule"]


@dataclass(frozen=True, slots=True)
class Warmup:
    """Calls (or a time) at the start whose turns are kept but left out of the results; both 0 for none."""

    sessions: int = 0
    ms: int = 0


def _warmup(value: object) -> Warmup:
    if isinstance(value, Warmup):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Warmup(sessions=value)
    if isinstance(value, str):
        try:
            return Warmup(ms=parse_duration(value))
        except ValueError as error:
            raise refusal(f"{error}; or a whole number of calls") from error
    raise refusal(f"found {value!r}; allowed: a whole number of calls, or {DURATION_HELP}")


WarmupField = Annotated[
    Warmup,
    PlainValidator(_warmup),
    PlainSerializer(lambda warmup: format_duration(warmup.ms) if warmup.ms else warmup.sessions, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": DURATION_PATTERN}]}),
]


class RateStep(Block):
    """From `at` on, calls arrive at `rate`, until the next step."""

    at_ms: DurationMs = Field(alias="at", description="Time since the run began.", examples=["0s", "5m"])
    rate_per_min: RatePerMin = Field(
        alias="rate", description="Arrivals from then on; 0/min is a lull.", examples=["10/min"]
    )


class LoadConfig(Block):
    """Calls at a time (`closed`), or calls arriving at a rate whatever the server does (the other arrivals)."""

    arrival: Arrival = Field(
        default="closed",
        description="closed: a pool of callers, each calling again when done; constant, poisson: calls arrive at "
        "`rate`; schedule: at the rates of `schedule`.",
    )
    callers: Count = Field(default=1, description="Size of the closed pool: calls at a time.", examples=[20])
    ramp_ms: DurationMs = Field(
        default=0, alias="ramp", description="Time over which the pool fills, evenly.", examples=["10s"]
    )
    sessions: Count | None = Field(
        default=None,
        description="Calls to measure in all; default, without duration: one per caller.",
        examples=[100],
    )
    duration_ms: LongerMs | None = Field(
        default=None, alias="duration", description="How long new calls are begun.", examples=["5m"]
    )
    warmup: WarmupField = Field(
        default=Warmup(),
        description="Calls (a number) or a time (with unit) that come first and are left out of the results.",
        examples=[10, "30s"],
        json_schema_extra={"default": 0},
    )
    graceful_stop_ms: DurationMs = Field(
        default=30_000,
        alias="graceful_stop",
        description="How long calls that are open at the end may take to finish.",
        examples=["30s"],
    )
    rate_per_min: PositiveRate | None = Field(
        default=None, alias="rate", description="Arrivals, with constant or poisson.", examples=["30/min"]
    )
    schedule: tuple[RateStep, ...] = Field(
        default=(),
        description="With arrival: schedule. Rates in steps: each holds until the next, the last to the end.",
        examples=[[{"at": "0s", "rate": "10/min"}, {"at": "2m", "rate": "40/min"}]],
    )
    phases: tuple[PhaseConfig, ...] = Field(
        default=(),
        description="Named phases, each with callers or a rate and a duration, in place of all of these.",
        examples=[[{"name": "hold", "callers": 20, "duration": "2m"}]],
    )
    most_calls: Annotated[int, Field(strict=True, ge=1)] = Field(
        default=1_000_000,
        description="Open arrivals: a plan of more calls is refused, since every instant is computed before the run.",
        examples=[1_000_000],
    )
    interleave: bool = Field(
        default=False,
        description="Call all of `targets` in one run, one call each in turn, in an order drawn from the seed.",
        examples=[True],
    )
    max_open: Count | None = Field(
        default=None,
        description="Most calls open at once with open arrivals; one that arrives beyond it is dropped and counted.",
        examples=[200],
    )
    search: SearchConfig | None = Field(
        default=None,
        description="Raise the load until the most that the target carries is known, instead of offering one load.",
        examples=[{"most": 256}],
    )
    planned_peak: Level | None = Field(
        default=None,
        description="The load that is expected at the busiest time, calls at once or calls per minute: reports tell "
        "the headroom, and a search fails if the ceiling is lower.",
        examples=[300, "120/min"],
    )

    @model_validator(mode="before")
    @classmethod
    def _one_session_per_caller(cls, data: Any) -> Any:
        """A closed pool with neither `sessions` nor `duration` makes one call per caller; phases of a rate are open."""
        if not isinstance(data, dict) or data.get("search") is not None:
            return data
        if isinstance(phases := data.get("phases"), list | tuple) and phases:
            return {"arrival": "constant", **data} if kind_of(phases) == "rate" else data
        if data.get("arrival", "closed") != "closed":
            return data
        callers = data.get("callers", 1)
        if data.get("sessions") is None and data.get("duration") is None and type(callers) is int and callers >= 1:
            return {**data, "sessions": callers}
        return data

    @property
    def warmup_sessions(self) -> int:
        """Calls of warm-up; 0 when warm-up is a time or absent."""
        return self.warmup.sessions

    @property
    def warmup_ms(self) -> int:
        """Length of the warm-up; 0 when warm-up is a number of calls or absent."""
        return self.warmup.ms

    def complaints(self) -> Iterator[Complaint]:
        """Combinations of keys that contradict each other."""
        if self.search is not None:
            yield from self._search_complaints(self.search)
            return
        if self.phases:
            yield from self._complaints_of_phases()
            return
        closed = self.arrival == "closed"
        if self.sessions is not None and self.duration_ms is not None:
            yield Complaint(("duration",), "found with sessions; allowed: one of them (give the other as null)")
        if not closed:
            yield from self._open_complaints()
        elif self.max_open is not None:
            yield Complaint(("max_open",), "only for open arrivals; a closed pool never has more calls than callers")
        if self.rate_per_min is not None and self.arrival not in {"constant", "poisson"}:
            yield Complaint(("rate",), f"only with arrival: constant or poisson; found arrival: {self.arrival}")
        if self.schedule and self.arrival != "schedule":
            yield Complaint(("schedule",), f"only with arrival: schedule; found arrival: {self.arrival}")

    def _search_complaints(self, search: SearchConfig) -> Iterator[Complaint]:
        """What a search decides for itself: how many calls, when, and for how long."""
        for name in _OF_ONE_LOAD:
            if getattr(self, name) != type(self).model_fields[name].default:
                key = type(self).model_fields[name].alias or name
                yield Complaint((key,), "found with search, which decides it; allowed: one of them")
        if self.phases:
            yield Complaint(("phases",), "found with search, which makes its own levels; allowed: one of them")
        if self.interleave:
            yield Complaint(
                ("interleave",),
                "found with search, which calls one target; leave it out and choose one with --target",
            )
        if self.max_open is not None and not search.rated:
            yield Complaint(("max_open",), "only for a search of: rate; a pool never has more calls than callers")
        sentence = wrong_kind(self.planned_peak, rated=search.rated)
        if sentence is not None:
            yield Complaint(("planned_peak",), sentence)

    def _complaints_of_phases(self) -> Iterator[Complaint]:
        given = {name: field.alias or name for name, field in type(self).model_fields.items()}
        for name in sorted(self.model_fields_set):
            usual = name != "callers" and getattr(self, name) == type(self).model_fields[name].get_default()
            if given[name] in NOT_WITH_PHASES and not usual:
                yield Complaint((given[name],), "found with phases; allowed: without it, each phase has its own load")
        yield from phase_complaints(self.phases, self.arrival)
        if self.max_open is not None and self.arrival == "closed":
            yield Complaint(("max_open",), "only for open arrivals; a closed pool never has more calls than callers")

    def _open_complaints(self) -> Iterator[Complaint]:
        if "callers" in self.model_fields_set:
            yield Complaint(
                ("callers",), f"only with arrival: closed; with {self.arrival}, the bound on open calls is max_open"
            )
        if self.ramp_ms:
            yield Complaint(("ramp",), "only with arrival: closed; for a rate that grows use arrival: schedule")
        if self.sessions is None and self.duration_ms is None:
            yield Complaint((), f"arrival: {self.arrival} never ends by itself; add duration or sessions")
        if self.arrival != "schedule":
            if self.rate_per_min is None:
                yield Complaint((), f"arrival: {self.arrival} needs a rate, such as rate: 30/min")
            return
        times = [step.at_ms for step in self.schedule]
        if not times:
            yield Complaint((), "arrival: schedule needs a schedule, such as schedule: [{at: 0s, rate: 10/min}]")
        elif times[0] != 0:
            yield Complaint(("schedule", 0, "at"), f"found {format_duration(times[0])}; the first step begins at 0s")
        for index in range(1, len(times)):
            if times[index] <= times[index - 1]:
                yield Complaint(
                    ("schedule", index, "at"),
                    f"found {format_duration(times[index])}; allowed: later than the step before",
                )
        if times and not any(step.rate_per_min for step in self.schedule):
            yield Complaint(("schedule",), "every rate is 0, so that no call would be made")
        elif times and self.duration_ms is None and not self.schedule[-1].rate_per_min:
            yield Complaint(("schedule", len(times) - 1, "rate"), "found 0 in the last step; then add duration")

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An open load has no pool, and would be refused with one when it is read again; nor have phases."""
        data: dict[str, Any] = handler(self)
        absent = [name for name in ("search", "planned_peak") if getattr(self, name) is None]
        if not self.phases:
            absent.append("phases")
        if self.search is not None:
            keys = {type(self).model_fields[name].alias or name for name in _OF_ONE_LOAD}
            absent += [*keys, *_OF_ONE_LOAD, "interleave"]
        elif self.arrival != "closed" or self.phases:
            absent.append("callers")
        for name in absent:
            data.pop(name, None)
        return data


_OF_ONE_LOAD = ("arrival", "callers", "ramp_ms", "sessions", "duration_ms", "warmup", "rate_per_min", "schedule")
"""Fields that say how many calls a run makes and when; a search decides them for each of its levels."""


class ListenerConfig(Block):
    """The caller's end of the line, as simulated for playback."""

    jitter_buffer_ms: DurationMs = Field(
        default=60,
        alias="jitter_buffer",
        description="Audio gathered before playback begins, and again after it has run dry.",
        examples=["60ms"],
    )


class HealthConfig(Block):
    """When the load generator itself is to blame."""

    client_late_ms: Annotated[DurationMs, Field(gt=0)] = Field(
        default=20,
        alias="client_late",
        description="A turn whose decisive frames were sent later than this leaves the percentiles (it is counted).",
        examples=["20ms"],
    )
    max_client_late: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.05,
        description="Share of such turns, 0 to 1, beyond which the whole run is invalid (exit code 4).",
        examples=[0.05],
    )


class TransportConfig(Block):
    """How the connection is used."""

    quickack: bool = Field(
        default=True,
        description="Acknowledge at once what arrives (Linux); false: when the kernel chooses, as other clients.",
    )
    max_message_bytes: Annotated[int, Field(strict=True, ge=1024, le=1 << 30)] = Field(
        default=MAX_MESSAGE_BYTES,
        description="A larger message of the server ends the call (close code 1009).",
        examples=[16_777_216],
    )


class Timeouts(Block):
    """How long each thing is waited for before it counts as failed."""

    connect_ms: LongerMs = Field(
        default=10_000, alias="connect", description="Name lookup, TCP, TLS and upgrade together.", examples=["10s"]
    )
    ready_ms: LongerMs = Field(
        default=10_000, alias="ready", description="Upgrade to session configured.", examples=["10s"]
    )
    reply_ms: LongerMs = Field(
        default=15_000,
        alias="reply",
        description="End of speech to the first sign of a reply, and from one sign to the next.",
        examples=["15s"],
    )
    response_ms: LongerMs = Field(
        default=60_000, alias="response", description="A whole reply, from its first sign.", examples=["60s"]
    )
    transcription_ms: DurationMs = Field(
        default=5_000,
        alias="transcription",
        description="How long a transcription that is late is waited for, after the reply.",
        examples=["5s"],
    )
    playback_ms: LongerMs = Field(
        default=120_000,
        alias="playback",
        description="How long the caller listens to one reply before going on, however long it is.",
        examples=["120s"],
    )
    close_ms: DurationMs = Field(
        default=2_000, alias="close", description="The server's answer to our hanging up.", examples=["2s"]
    )


def _book(value: object, info: ValidationInfo) -> str | Path:
    """A shipped book's name, or a YAML file relative to the scenario."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip():
        raise refusal("not a price book; allowed: the name of a shipped book, or the path of a YAML file")
    if "/" not in value and not value.endswith((".yaml", ".yml")):
        return value
    base = (info.context or {}).get("base")
    path = Path(value).expanduser()
    return path if base is None else base / path


def _book_text(book: str | Path, info: SerializationInfo) -> str:
    return relative_to_base(book, info) if isinstance(book, Path) else book


Book = Annotated[
    str | Path,
    PlainValidator(_book),
    PlainSerializer(_book_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class Pricing(Block):
    """What usage is priced with; without a book, the shipped one that knows the model."""

    book: Book | None = Field(
        default=None,
        description="A price book: the name of a shipped one, or a YAML file relative to the scenario.",
        examples=["openai-2026-11", "my-prices.yaml"],
    )
    model: Text | None = Field(
        default=None, description="Price as this model instead of the target's.", examples=["gpt-realtime-mini"]
    )
    transcription_model: Text | None = Field(
        default=None,
        description="Price the transcription of the caller as this model's (for a deployment under another name).",
        examples=["gpt-4o-mini-transcribe"],
    )

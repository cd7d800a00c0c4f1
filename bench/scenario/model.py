"""A scenario: the target, what is said, how many calls and when. Pure data, with every default filled in.

In: plain values (`bench.scenario.read.load_scenario` reads a file). Out: one frozen `Scenario`; Python names end in
their unit, YAML keys do not where the value carries it (`ramp: 10s` is `ramp_ms`). Trap: `target` None is not an
error, it means the embedded reference server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from bench.audio.catalogue import shipped_catalogue
from bench.audio.conditions import Condition
from bench.config.block import NAME_PATTERN, Block, Complaint, ScenarioPath, refusal
from bench.dialects import DEFAULT_DIALECT, dialect_names, has_keypad
from bench.dialects.session_config import SessionConfig, lacking
from bench.scenario.assumptions import EstimateConfig
from bench.scenario.budget import Budget
from bench.scenario.conditions import (
    Cell,
    ConditionUse,
    Matrix,
    cells_of,
    condition_of,
    matrix_of_one_target,
    noise_cut_off,
    same_labels,
    target_complaints,
    unknown_names,
)
from bench.scenario.load_shapes import expected_calls
from bench.scenario.phase_config import objectives_by_phase
from bench.scenario.record_config import RecordConfig
from bench.scenario.run_config import HealthConfig, ListenerConfig, LoadConfig, Pricing, Timeouts, TransportConfig
from bench.scenario.steps import Step
from bench.scenario.steps.step import KINDS
from bench.scenario.target import EMBEDDED_NAME, Target
from bench.scenario.threshold_grammar import Objective
from bench.scenario.thresholds import BoundsField, ObjectivesField


def _conversation(value: object) -> object:
    if not isinstance(value, list | tuple) or not value:
        found = "an empty list" if isinstance(value, list | tuple) else "no list"
        raise refusal(f"found {found}; allowed: a list of steps, such as [say: ID, pause: 1s]")
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(NAME_PATTERN, value) is None:
        raise refusal(f"found '{value}'; allowed: letters, digits, dot, dash and underscore, 64 at most")
    return value


AnyBlock = TypeVar("AnyBlock", bound=Block)


def merged(block: AnyBlock, own: AnyBlock | None) -> AnyBlock:
    """`block` with the keys that were given in `own` in place of its own."""
    if own is None:
        return block
    return block.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


class Scenario(Block):
    """A whole test, ready to run."""

    name: Annotated[str, BeforeValidator(_name)] = Field(
        json_schema_extra={"pattern": NAME_PATTERN},
        description="Names the run folder: letters, digits, dot, dash and underscore, 64 at most.",
        examples=["balance-calls"],
    )
    description: str = Field(default="", description="What this scenario is for; shown in reports.")
    seed: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=1, description="Seed of every random choice.", examples=[1]
    )
    target: Target | None = Field(default=None, description="Server to call; absent: the embedded reference server.")
    targets: dict[str, Target] = Field(
        default_factory=dict,
        description="Several targets by name; --target NAME selects one, load.interleave calls all.",
    )
    fixtures_file: ScenarioPath | None = Field(
        default=None,
        alias="fixtures",
        description="Fixture catalogue, relative to this file; absent: the project's own.",
        examples=["../fixtures/audio/catalogue.yaml"],
    )
    conditions: dict[str, Condition] = Field(
        default_factory=dict,
        description="What may be done to the caller's voice, by name.",
        examples=[{"cafe": {"noise": {"kind": "babble", "snr": "10dB"}}}],
    )
    condition: ConditionUse | None = Field(
        default=None,
        description="What is done to the caller's voice: a name of conditions, or a mapping.",
        examples=["cafe", {"noise": {"kind": "white", "snr": "10dB"}}],
    )
    matrix: Matrix | None = Field(
        default=None,
        description="Axes whose combinations are run side by side.",
        examples=[{"condition": ["clean", "cafe"], "frame": ["20ms", "100ms"]}],
    )
    session: SessionConfig = Field(default_factory=SessionConfig, description="How each call is configured.")
    conversation: Annotated[tuple[Step, ...], BeforeValidator(_conversation)] = Field(
        description="What each caller does, in order; each say is one turn.",
        examples=[[{"say": "balance-rms"}, {"pause": "1s"}, {"say": "order-status-slt"}]],
        json_schema_extra={"minItems": 1},
    )
    load: LoadConfig = Field(default_factory=LoadConfig, description="How many calls, and when; absent: a single call.")
    objectives: ObjectivesField = Field(
        default=(),
        description="What a good turn keeps, beside being answered; goodput is the share of good turns.",
        examples=[["first_audible_ms < 800ms", "stalls < 1"]],
    )
    thresholds: BoundsField = Field(
        default=(),
        description="What the run must keep to pass (exit code 1 if not, 3 without data); bounds on errors have "
        "defaults.",
        examples=[["first_audible_ms{accent=scottish}: p95 < 800ms", "wer < 8%"]],
    )
    budget: Budget | None = Field(
        default=None,
        description="What the run may use before it is ended (exit code 6): money, minutes of calls, calls.",
        examples=[{"max_usd": 5}],
    )
    estimate: EstimateConfig = Field(
        default_factory=EstimateConfig, description="What an estimate of the cost assumes of the server."
    )
    record: RecordConfig | None = Field(
        default=None,
        description="Calls that are kept as sound: stereo WAV files, linked from the report.",
        examples=[{"share": "5%"}, {"slowest": 10}],
    )
    listener: ListenerConfig = Field(default_factory=ListenerConfig, description="The simulated listener.")
    transport: TransportConfig = Field(
        default_factory=TransportConfig, description="Acknowledgements, and how large a message may be."
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long to wait for each thing.")
    health: HealthConfig = Field(
        default_factory=HealthConfig,
        description="How late the harness may be before a turn, or the run, is not counted.",
    )
    pricing: Pricing = Field(default_factory=Pricing, description="Price book for the usage.")
    tags: dict[str, str] = Field(
        default_factory=dict, description="Labels of the run, stored in its manifest.", examples=[{"release": "42"}]
    )

    _source: Path = PrivateAttr(default=Path("scenario.yaml"))
    _target_name: str | None = PrivateAttr(default=None)

    @property
    def source(self) -> Path:
        """The file this was read from."""
        return self._source

    @property
    def base(self) -> Path:
        """The folder to which relative paths and `file:` secrets of this scenario are relative."""
        return self._source.parent

    @property
    def fixtures(self) -> Path:
        """The fixture catalogue, as a path that can be opened."""
        return self.fixtures_file or shipped_catalogue()

    @property
    def turns(self) -> int:
        """Turns that one session plans."""
        return sum(step.TURNS for step in self.conversation)

    @property
    def fixture_ids(self) -> tuple[str, ...]:
        """Every fixture that the conversation may speak, in order, each once."""
        return tuple(dict.fromkeys(each for step in self.conversation for each in step.fixture_ids))

    @property
    def cells(self) -> list[Cell]:
        """The cells of the matrix; none without one."""
        return cells_of(self.matrix, self.conditions, self.condition)

    @property
    def condition_labels(self) -> set[str]:
        """What reports may call the condition of a turn."""
        uses = [step.condition_use for step in self.conversation]
        own = [condition_of(use, self.conditions) for use in {self.condition, *uses} if not self.matrix or use in uses]
        return {named[1] for named in own if named} | {cell.label for cell in self.cells if cell.label}

    @property
    def sound_ids(self) -> tuple[str, ...]:
        """Every sound that a caller may make while it listens: a fixture, or one that is shipped."""
        return tuple(dict.fromkeys(each for step in self.conversation for each in step.sound_ids))

    @property
    def objectives_in_force(self) -> tuple[Objective, ...]:
        """What good turns keep, each in its phase."""
        return objectives_by_phase(self.objectives, self.load.phases)

    @property
    def target_names(self) -> tuple[str, ...]:
        """What the targets are called in rows: their names under `targets`, or the label of the only one."""
        if self.targets:
            return tuple(self.targets)
        label = EMBEDDED_NAME if self.target is None else self.target.provider_name
        return (self._target_name or label,)

    def parts(self) -> dict[str, Scenario]:
        """By target, the scenario as it is if that target alone is called; the scenario itself where there is one."""
        return {name: self.alone(name) for name in self.targets} or {self.target_names[0]: self}

    def alone(self, name: str) -> Scenario:
        """The scenario with target `name` as its only one, and what that target changes for itself in its place.

        Bounds on the rows of other targets are left out: there will be none.
        """
        chosen = self.targets[name]
        target = chosen.model_copy(update={"session": None, "pricing": None, "provider": chosen.provider or name})
        others = {("target", other) for other in self.targets if other != name}
        found = self.model_copy(
            update={
                "target": target,
                "targets": {},
                "session": merged(self.session, chosen.session),
                "pricing": merged(self.pricing, chosen.pricing),
                "load": self.load.model_copy(update={"interleave": False}),
                "matrix": matrix_of_one_target(self.matrix),
                "thresholds": tuple(each for each in self.thresholds if not others.intersection(each.parsed.tags)),
            }
        )
        found._target_name = name
        return found

    @property
    def called_in_turn(self) -> Scenario:
        """The scenario with those of its targets that a run of several calls: all, or those of the matrix."""
        named = self.matrix.target if self.matrix is not None else ()
        if not named:
            return self
        others = {("target", name) for name in self.targets if name not in named}
        return self.model_copy(
            update={
                "targets": {name: target for name, target in self.targets.items() if name in named},
                "thresholds": tuple(each for each in self.thresholds if not others.intersection(each.parsed.tags)),
            }
        )

    @model_validator(mode="before")
    @classmethod
    def _targets_of_a_matrix(cls, data: Any) -> Any:
        """The targets that a matrix names are called in turn."""
        matrix, load = (data.get("matrix"), data.get("load") or {}) if isinstance(data, dict) else (None, None)
        if not isinstance(matrix, dict) or not matrix.get("target") or not isinstance(load, dict):
            return data
        return {**data, "load": {"interleave": True, **load}}

    def model_post_init(self, context: Any) -> None:
        """Take the source from the loader's validation context, if there is one."""
        if isinstance(context, dict) and isinstance(context.get("source"), Path):
            self._source = context["source"]

    def complaints(self) -> Iterator[Complaint]:
        """A conversation in which nobody speaks, and `target` together with `targets`."""
        calls = expected_calls(self.load)
        if calls is not None and calls > self.load.most_calls:
            yield Complaint(
                ("load",),
                f"plans about {calls:,.0f} calls; the most is {self.load.most_calls:,} (load.most_calls): lower the "
                "rate or the duration, or raise that bound",
            )
        if not self.objectives_in_force:
            for place, block in enumerate(self.thresholds):
                if block.parsed.metric.name == "goodput":
                    sentence = "goodput needs objectives, such as objectives: ['first_audible_ms < 800ms']"
                    yield Complaint(("thresholds", place), sentence)
        yield from self._conditions_complaints()
        if self.session.transcribes:
            yield from self._complaints_of_transcribing()
        for place, step in enumerate(self.conversation):
            if step.CUTS_IN and (not place or not self.conversation[place - 1].HAS_REPLY):
                replies = ", ".join(word for word, kind in KINDS.items() if kind.HAS_REPLY)
                yield Complaint(("conversation", place), f"no reply to cut into; allowed: right after {replies}")
            for name in step.tools_wanted:
                tools = [tool.name for tool in self.session.tools]
                if name not in tools:
                    allowed = f"allowed: {', '.join(tools)}" if tools else "session.tools has none"
                    yield Complaint(("conversation", place, "expect", "tool"), f"no tool '{name}'; {allowed}")
            if step.NEEDS_OPEN_MICROPHONE and self.session.manual:
                sentence = f"{step.KIND} means nothing in push to talk: the microphone is shut while the caller listens"
                yield Complaint(("conversation", place), f"{sentence}; allowed: with another session.turn_detection")
        yield from self._complaints_of_keys()
        if not self.turns:
            yield Complaint(("conversation",), "nobody speaks; allowed: at least one say step")
        if self.target is not None and self.targets:
            yield Complaint(("targets",), "found with target; allowed: one of them")
        yield from self._complaints_of_targets()

    def _complaints_of_transcribing(self) -> Iterator[Complaint]:
        for place, step in enumerate(self.conversation):
            if step.KIND not in {"say", "pause"}:
                sentence = f"{step.KIND} needs replies, which session.type: transcription has not; allowed: say, pause"
                yield Complaint(("conversation", place), sentence)
            elif step.all_expected:
                sentence = "expects something of a reply, which session.type: transcription has not; remove it"
                yield Complaint(("conversation", place, "expect"), sentence)

    def _complaints_of_keys(self) -> Iterator[Complaint]:
        places = [place for place, step in enumerate(self.conversation) if step.NEEDS_KEYPAD]
        called = [self.target, *self.targets.values()] if self.target is not None else list(self.targets.values())
        spoken = dict.fromkeys([each.dialect for each in called if each is not None] or [DEFAULT_DIALECT])
        for name in spoken:
            if not has_keypad(name):
                able = ", ".join(each for each in dialect_names() if has_keypad(each))
                said = f"dialect {name} has no keys to press; allowed with: {able}"
                yield from (Complaint(("conversation", place), said) for place in places)

    def _complaints_of_targets(self) -> Iterator[Complaint]:
        for key in ("session", "pricing"):
            if self.target is not None and getattr(self.target, key) is not None:
                yield Complaint(("target", key), f"only under targets; allowed: the scenario's own {key}")
        if self.target is not None:
            for each in lacking(self.session, self.target.dialect):
                yield Complaint(("session", *each.loc), each.sentence)
        for name, target in self.targets.items():
            for each in lacking(merged(self.session, target.session), target.dialect):
                yield Complaint(("targets", name, "session", *each.loc), each.sentence)
            for each in merged(self.session, target.session).complaints() if target.session is not None else ():
                yield Complaint(("targets", name, "session", *each.loc), each.sentence)
        wrong = list(target_complaints(self.matrix, list(self.targets), interleave=self.load.interleave))
        yield from wrong
        if self.load.interleave and not wrong:
            yield from self._complaints_of_interleaving()

    @property
    def _in_turn(self) -> int:
        """How many targets a run calls in turn; 1 without interleaving."""
        named = self.matrix.target if self.matrix is not None else ()
        return len(named or self.targets) if self.load.interleave else 1

    def _complaints_of_interleaving(self) -> Iterator[Complaint]:
        count = self._in_turn
        if count < 2:
            found = "target" if self.target is not None else f"{count or 'no'} target{'' if count == 1 else 's'}"
            sentence = f"found with {found}; allowed: with targets, a mapping of two or more names"
            yield Complaint(("load", "interleave"), sentence)
            return
        for name in self.targets:
            if re.fullmatch(NAME_PATTERN, name) is None:
                sentence = f"found '{name}'; allowed: letters, digits, dot, dash and underscore, 64 at most"
                yield Complaint(("targets", name), sentence)
        for key in ("sessions", "max_open"):
            limit = getattr(self.load, key)
            if limit is not None and limit < count:
                sentence = f"found {limit} for {count} interleaved targets; allowed: {count} or more, one for each"
                yield Complaint(("load", key), sentence)

    def _conditions_complaints(self) -> Iterator[Complaint]:
        """Names of conditions that are not declared, and a matrix that the load or the conditions cannot fill."""
        matrix, uses = self.matrix, dict[tuple[str | int, ...], object]()
        uses[("condition",)] = self.condition
        uses |= {
            ("conversation", place, "condition"): step.condition_use for place, step in enumerate(self.conversation)
        }
        for place, name in enumerate(matrix.condition if matrix else ()):
            uses[("matrix", "condition", place)] = name
        unknown = list(unknown_names(uses, self.conditions))
        yield from unknown
        yield from same_labels(uses)
        if unknown:
            return
        yield from noise_cut_off(uses, self.conditions)
        if matrix is None:
            return
        cells = self.cells
        if matrix.snr and not any(cell.condition and cell.condition.noise for cell in cells):
            yield Complaint(("matrix", "snr"), "no condition has noise whose ratio could change; give one a noise")
        sessions = self.load.sessions
        if sessions is not None and sessions < len(cells) * self._in_turn:
            of = f" of {self._in_turn} targets" if self._in_turn > 1 else ""
            yield Complaint(
                ("matrix",),
                f"{len(cells)} cells{of} for {sessions} calls; allowed: at least one call each (load.sessions)",
            )


__all__ = ["LoadConfig", "Scenario", "SessionConfig", "shipped_catalogue"]

"""A profile: what the simulated engine does, as one YAML file that is checked before the server listens.

In: a path, or none for the defaults. Out: a frozen `Profile`. Every problem is named with file, line, key, what was
found, what is allowed and the nearest match.
Trap: `first_token` and `first_audio` count from the end of the caller's speech, not from the endpoint: with
`endpointing: 400ms` a `first_audio: 300ms` is already over and is sent at once; the truth log says when.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from bench.config.block import Block, Complaint, DurationMs, LongerMs, ScenarioPath, Text
from bench.config.distributions import Delay, DelayField, constant
from bench.config.problems import ConfigError, read_text, validated
from bench.config.yaml_reader import read_yaml
from bench.server.engines.simulated.captions_profile import CaptionsProfile
from bench.server.engines.simulated.faults import Fault
from bench.server.engines.simulated.tool_calls import ToolsProfile
from bench.server.http_legs.profile import LegsProfile
from bench.shipped import shipped

_HINT = "docs/simulator.md lists every key; bench scenarios lists the profiles that are shipped"
DEFAULT_GREETING = "Hello, thank you for calling. How can I help you today?"
DEFAULT_REPLY = "Thank you for calling. I have found what you asked for and will send you the details right away."


class RecognitionProfile(Block):
    """How the engine decides what was said."""

    silence: LongerMs = Field(default=160, description="Silence after which the audio is compared with the catalogue.")
    confidence: float = Field(default=0.6, description="Correlation below which the audio is unknown.", gt=0, lt=1)
    unknown_after: LongerMs = Field(default=600, description="Silence that ends a turn of unknown audio.")


class Errors(Block):
    """Word errors put into every transcript: a number per turn, or a share of the words below 1."""

    substitutions: float = Field(default=0, description="Words replaced.", ge=0, examples=[1, 0.05])
    deletions: float = Field(default=0, description="Words left out.", ge=0, examples=[0, 0.02])
    insertions: float = Field(default=0, description="Words added.", ge=0, examples=[1])

    def complaints(self) -> Iterator[Complaint]:
        for key in ("substitutions", "deletions", "insertions"):
            value = getattr(self, key)
            if value >= 1 and value != int(value):
                yield Complaint((key,), f"found {value:g}; allowed: a whole number of words, or a share below 1")


class TranscriptionProfile(Block):
    """The caller's words as the server reports them."""

    delay: DelayField = Field(default=constant(150), description="From the commit to the transcription.")
    errors: Errors = Field(default=Errors(), description="Word errors, exact in number.")


class FixtureReply(Block):
    """What is answered to one fixture."""

    text: Text = Field(default=DEFAULT_REPLY, description="The words.")
    length: DelayField | None = Field(default=None, description="Length of the audio; default: `reply_length`.")


class Greeting(Block):
    """What the agent says as soon as a session is configured, without being asked."""

    after: DelayField = Field(default=constant(0), description="From `session.updated` to `response.created`.")
    text: Text = Field(default=DEFAULT_GREETING, description="The words.")
    length: DelayField = Field(default=constant(2000), description="Length of the audio.")
    share: float = Field(default=1.0, description="Part of the sessions that are greeted.", ge=0, le=1)


class BargeIn(Block):
    """How it reacts to a caller who speaks while a reply is sent or heard."""

    reaction: DelayField = Field(
        default=constant(0),
        description="From the onset of the caller's speech to `speech_started`, with which a reply is cancelled. Not "
        "before the level detector has noticed it, and at the end of the turn at the latest.",
    )
    shortest: DurationMs = Field(
        default=0, description="A shorter sound is no turn and stops nothing; speech is noticed once it lasted so long."
    )
    false_stops: float = Field(
        default=0, description="Part of the shorter sounds that are taken for speech all the same.", ge=0, le=1
    )


class Semantic(Block):
    """End of speech to `speech_stopped` under `semantic_vad`, by its eagerness."""

    low: DelayField = Field(default=constant(1200), description="Of `eagerness: low`.")
    medium: DelayField = Field(default=constant(700), description="Of `medium` and `auto`.")
    high: DelayField = Field(default=constant(400), description="Of `high`.")

    def of(self, eagerness: str) -> Delay:
        """The delay for one value of `eagerness`."""
        delay: Delay = getattr(self, "medium" if eagerness == "auto" else eagerness)
        return delay


class Limits(Block):
    """What the server refuses, and how."""

    max_sessions: int | None = Field(default=None, description="Open sessions; one more is refused.", ge=1)
    refuse_with: Literal["error", "429", "503"] = Field(
        default="error",
        description="`error`: upgrade, then the event `session_limit_reached` and close 1008; else HTTP.",
    )
    requests_per_min: int | None = Field(
        default=None, description="Responses per minute of the whole server process.", ge=1
    )
    tokens_per_min: int | None = Field(
        default=None, description="Tokens per minute; max_output_tokens are reserved when a response starts.", ge=1
    )
    reserve_tokens: int = Field(default=4096, description="Reserved where max_output_tokens is `inf`.", ge=0)
    at_handshake: bool = Field(
        default=False,
        description="Handshakes get HTTP 429 while no request is left, or fewer tokens than are reserved.",
    )
    told: tuple[Literal["requests", "tokens"], ...] = Field(
        default=("requests", "tokens"), description="Limits that `rate_limits.updated` names; none: an empty list."
    )
    headers: bool = Field(
        default=True, description="`x-ratelimit-*` for the limits that are set, and `retry-after` with a 429."
    )
    retry_after: LongerMs = Field(default=1000, description="What a full server asks to wait; sent as whole seconds.")
    session_lifetime: LongerMs | None = Field(default=None, description="Then `session_expired` and a close.")
    notice: DurationMs = Field(
        default=0,
        description="How long before that end it is announced, where the dialect has a message for it; 0: never.",
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.notice and (self.session_lifetime is None or self.notice >= self.session_lifetime):
            yield Complaint(("notice",), "found without a longer session_lifetime; allowed: a time before that end")


class ClientSecrets(Block):
    """How short-lived keys are given."""

    delay: DelayField = Field(default=constant(0), description="From the request for one to its answer.")


class Profile(Block):
    """Everything that can be set for the simulated engine."""

    name: Text = Field(default="default", description="For the log.")
    seed: int = Field(default=1, description="Of every draw; the same seed and calls give the same delays and errors.")
    model: Text = Field(default="simulated", description="Model name that the server reports.")
    catalogue: ScenarioPath | None = Field(
        default=None, description="Fixtures it recognises; default: the project's own."
    )
    recognition: RecognitionProfile = Field(default=RecognitionProfile(), description="Finding out what was said.")
    delays_from: Literal["speech_end", "commit"] = Field(
        default="speech_end", description="Zero of first_token and first_audio in manual mode."
    )
    endpointing: DelayField = Field(default=constant(400), description="End of speech to speech_stopped.")
    semantic: Semantic = Field(
        default=Semantic(),
        description="In the place of `endpointing` under semantic_vad; the reply is later by the difference.",
    )
    first_token: DelayField = Field(default=constant(550), description="End of speech to the first transcript delta.")
    first_audio: DelayField = Field(default=constant(650), description="End of speech to the first audio delta.")
    leading_silence: DelayField = Field(default=constant(100), description="Silence at the start of the reply's audio.")
    chunk: LongerMs = Field(default=200, description="Audio in one delta.")
    chunk_gap: DelayField | None = Field(
        default=None, description="Between two deltas; default: chunk / delivery_speed."
    )
    delivery_speed: float = Field(default=4.0, description="Audio sent, times real time.", gt=0, le=1000)
    reply: Text = Field(default=DEFAULT_REPLY, description="The words of every reply.")
    reply_length: DelayField = Field(default=constant(2000), description="Length of the reply's audio.")
    replies: dict[str, FixtureReply] = Field(default={}, description="Replies by fixture id.")
    barge_in: BargeIn = Field(default=BargeIn(), description="Reaction to a caller who speaks into a reply.")
    tools: ToolsProfile | None = Field(default=None, description="Tools that it calls before it answers.")
    greeting: Greeting | None = Field(default=None, description="What it says unasked when a session begins.")
    captions: CaptionsProfile | None = Field(
        default=None, description="Words that are sent while the caller speaks; absent: all come after the turn."
    )
    transcription: TranscriptionProfile = Field(default=TranscriptionProfile(), description="The caller's words.")
    client_secrets: ClientSecrets = Field(default=ClientSecrets(), description="Short-lived keys.")
    limits: Limits = Field(default=Limits(), description="What is refused.")
    legs: LegsProfile = Field(default=LegsProfile(), description="The three HTTP services of `--dialect openai-http`.")
    faults: tuple[Fault, ...] = Field(default=(), description="What goes wrong, and when.")

    def complaints(self) -> Iterator[Complaint]:
        if self.chunk_gap is not None and "delivery_speed" in self.model_fields_set:
            yield Complaint(("chunk_gap",), "found with delivery_speed; allowed: one of the two")


def load_profile(path: Path | None) -> Profile:
    """The profile in `path`, a file or the name of a shipped one; the defaults for None.

    ConfigError lists everything that is wrong in it.
    """
    if path is None:
        return Profile()
    own = shipped(f"scenarios/profiles/{path.name}.yaml")
    found = own if path.parent == Path() and not path.is_file() and own.is_file() else path
    return parse_profile(read_text(found, hint=_HINT), found)


def with_limits(profile: Profile, limits: Mapping[str, int | None]) -> Profile:
    """`profile` with the limits that are given in the place of its own."""
    given = {key: value for key, value in limits.items() if value is not None}
    return profile.model_copy(update={"limits": profile.limits.model_copy(update=given)}) if given else profile


def parse_profile(text: str, path: Path) -> Profile:
    """`load_profile` for a text; `path` names it in problems and is where relative paths start."""
    document = read_yaml(text, name=str(path), env=os.environ)
    if document.data is None:
        document.data = {}
    profile = validated(document, Profile, needs="one key of docs/simulator.md", base=path.parent)
    if document.problems or profile is None:
        raise ConfigError(document.problems, name=str(path), hint=_HINT)
    return profile

"""The manifest of a run, `run.json`: what was asked, where it ran, what was counted, how it ended.

In: facts from the run as it starts, goes and ends. Out: one JSON file, replaced atomically each time.
Trap: a run that was killed leaves `state: running` behind; that is evidence and nothing may tidy it away. Secrets
never enter: addresses and command lines pass through `bench.store.redact` first.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from bench.errors import BenchError
from bench.pricing.book import Books, PriceBook, default_books
from bench.store.calibration import Calibration
from bench.store.certificate import HealthCertificate, StoredPart
from bench.store.environment import GitState, Host
from bench.store.folder import RunFolder, write_atomic
from bench.store.redact import safe_command, safe_url
from bench.store.search_record import SearchRecord

SCHEMA_VERSION = 1


class CalledTarget(StoredPart):
    """Who was called. `embedded` is the reference server that the run started itself."""

    name: str | None = None
    """As in the column `target`; None in a run of an older version."""
    url: str | None = None
    model: str | None = None
    dialect: str | None = None
    provider: str | None = None
    embedded: bool = False

    own_price_book: PriceBook | None = None
    """What its calls were priced with before the shipped books, as it was read."""

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str | None) -> str | None:
        return safe_url(url) if url else url


class WorkerAnchor(StoredPart):
    """One reading of both clocks in a worker: `unix_s` is the wall clock at its `monotonic_ns`."""

    monotonic_ns: int
    unix_s: float
    pid: int
    host: str | None = None
    kernel_stamps: bool | None = None
    """Whether arrival times came from the kernel; false means they include this process's own delay."""


class WorkerCounts(StoredPart):
    """Rows one worker says it sent, and rows that arrived; a difference makes the run incomplete."""

    turns_sent: int | None = None
    turns_received: int | None = None
    sessions_sent: int | None = None
    sessions_received: int | None = None


class Counts(StoredPart):
    """Row counts by worker; totals follow from them."""

    workers: dict[str, WorkerCounts] = Field(default_factory=dict)

    def total(self, name: Literal["turns_sent", "turns_received", "sessions_sent", "sessions_received"]) -> int | None:
        """The sum over workers, or None when any worker did not say."""
        values: list[int | None] = [getattr(worker, name) for worker in self.workers.values()]
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None


class UsedPriceBook(StoredPart):
    """Which prices were used and of which day; `example` prices belong to no vendor and are labelled so."""

    name: str
    date: str | None = None
    example: bool = False
    source: str | None = None

    @classmethod
    def used(cls, model: str | None, books: Books) -> list[UsedPriceBook]:
        """The book that has a rate for `model`, or none."""
        return cls._of(books.book_of(model))

    @classmethod
    def used_to_transcribe(
        cls, model: str | None, transcription_model: str | None, books: Books
    ) -> list[UsedPriceBook]:
        """The book that has a price for a transcription in a session that does nothing else, or none."""
        return cls._of(books.transcription_book_of(model, transcription_model))

    @classmethod
    def used_to_speak(cls, speech_model: str | None, books: Books) -> list[UsedPriceBook]:
        """The book that has a price for what a cascade has spoken, or none."""
        return cls._of(books.book_of_speech(speech_model))

    @classmethod
    def _of(cls, book: PriceBook | None) -> list[UsedPriceBook]:
        if book is None:
            return []
        return [cls(name=book.book, date=str(book.date), example=book.label is not None, source=book.vendor)]


def own_book(books: Books) -> PriceBook | None:
    """The book among `books` that does not come with the package, if there is one."""
    return next((book for book in books.parts if book not in default_books().parts), None)


class EstimatedCost(StoredPart):
    """What the whole plan was expected to cost before the run; money is null where a price was unknown."""

    low_usd: float | None = None
    usd: float | None = None
    high_usd: float | None = None
    calls: float
    minutes: float
    """Of calls, from dialling to the end of each, added up."""
    assumed: list[str] = Field(default_factory=list)


class BudgetUsed(StoredPart):
    """The limits of a run and what was used of them; a limit that is null was not set."""

    max_usd: float | None = None
    max_minutes: float | None = None
    max_sessions: int | None = None
    known_usd: float | None = None
    """From usage and prices; null where no price was known."""
    estimated_usd: float | None = None
    """For turns without a usage or a price, and turns that were cut off: what such turns are expected to cost."""
    estimated_turns: int = 0
    minutes: float = 0.0
    """Of calls, from dialling to the end of each, added up."""
    sessions: int = 0
    """Calls that began."""


class ReplyWords(StoredPart):
    """What is known of the recogniser that listened to the replies of a run, and of how well it hears."""

    recogniser: str
    listened: int = 0
    """Replies that were compared."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Why others of the recorded calls were not, and how many."""
    floor_errors: int | None = None
    """Word errors on sentences of the embedded voice, whose words are known; null where that could not be measured."""
    floor_words: int | None = None
    other_errors: int | None = None
    """Word errors of the same replies against the transcripts of other replies: what mere chance gives."""
    other_words: int | None = None
    seconds: float = 0.0
    """How long listening took, after the run."""


class RecordingEnd(StoredPart):
    """Where speech ends in a recording, and between which times it may end by the sound itself, in milliseconds."""

    end_ms: float
    earliest_ms: float | None = None
    """None where a person gave the end, and where no speech is heard."""
    latest_ms: float | None = None
    annotated: str = "unknown"
    """`by hand`, `by level`, or `unknown` where the catalogue does not say."""


class Manifest(StoredPart):
    """Everything of a run that is not a row."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    bench_version: str
    scenario_name: str
    scenario: dict[str, Any] = Field(default_factory=dict)
    """The scenario as expanded, references to secrets still references."""
    load_sentence: str | None = None
    """What was offered, in words; None in a run of an older version."""
    seed: int | None = None
    command: list[str] = Field(default_factory=list)
    started_at: datetime
    calls_began_at: datetime | None = None
    """When the first call was due, all workers being ready; None in a run of an older version."""
    ended_at: datetime | None = None
    state: Literal["running", "finished"] = "running"
    stop_reason: str | None = None
    """Why the run stopped: `completed`, `interrupted`, `budget`, or another word of the runner's."""
    stop_sentence: str | None = None
    """The same in a sentence, with the numbers that decided it; None where the run came to its own end."""
    estimate: EstimatedCost | None = None
    """None in a run of an older version."""
    budget: BudgetUsed | None = None
    """None in a run without one."""
    calls_recorded: int = 0
    """Recordings that were written, those included that slower calls took the place of."""
    recording_s: float = 0.0
    """What writing them took, beside the calls."""
    reply_words: ReplyWords | None = None
    """None in a run whose replies nobody listened to."""
    search: SearchRecord | None = None
    """None in a run that is no search for a ceiling."""
    verdict: str | None = None
    exit_code: int | None = None
    reasons: list[str] = Field(default_factory=list)
    python: str | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    git: GitState | None = None
    host: Host = Field(default_factory=Host)
    target: CalledTarget = Field(default_factory=CalledTarget)
    """The only target, or the first of several."""
    targets: list[CalledTarget] = Field(default_factory=list)
    """Every target, in the order of the scenario; empty in a run of an older version."""
    workers: dict[str, WorkerAnchor] = Field(default_factory=dict)
    counts: Counts = Field(default_factory=Counts)
    losses: list[str] = Field(default_factory=list)
    """What is known to be lost: damaged rows, a worker that vanished. Any line here makes the run incomplete."""
    health: HealthCertificate = Field(default_factory=HealthCertificate)
    calibration: Annotated[Calibration | dict[str, Any] | None, Field(union_mode="left_to_right")] = None
    """The newest calibration of the host when the run was made; a mapping where this version cannot read it."""
    price_books: list[UsedPriceBook] = Field(default_factory=list)
    own_price_book: PriceBook | None = None
    """The scenario's own price book as it was read, so that the run can be priced again from its folder alone."""
    metric_versions: dict[str, int] = Field(default_factory=dict)
    """The version of each metric's definition that the rows were measured by; empty in a run of an older version."""
    fixtures: dict[str, str] = Field(default_factory=dict)
    """Fixture id -> sha256 of its audio."""
    recording_doubts: dict[str, list[str]] = Field(default_factory=dict)
    """Fixture id -> why the end of its speech, the zero of its latencies, may be wrong."""
    recording_ends: dict[str, RecordingEnd] = Field(default_factory=dict)
    """Fixture id -> where its speech ends and how sharp that is; empty in a run of an older version."""
    notes: list[str] = Field(default_factory=list)
    """Lines for the reader, such as a model without a known price."""

    @field_validator("command")
    @classmethod
    def _without_secrets(cls, command: list[str]) -> list[str]:
        return safe_command(command)

    @property
    def interleaved(self) -> list[str]:
        """The names of several targets that were called in turn; none in a run of one."""
        return [each.name for each in self.targets if each.name is not None] if len(self.targets) > 1 else []

    @property
    def duration_s(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


def write_manifest(folder: RunFolder, manifest: Manifest) -> None:
    """Replace `run.json` in one step."""
    write_atomic(folder.manifest, manifest.model_dump_json(indent=2) + "\n")


def read_manifest(folder: RunFolder) -> Manifest:
    """The stored manifest. Raises `BenchError` when there is none, or it is not one this version can read."""
    path = folder.manifest
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise BenchError(f"{folder.root}: {_no_run(folder.root)}", hint=_where(folder.root)) from None
    except OSError as error:
        raise BenchError(f"{path}: cannot be read ({error.strerror})", hint="check its permissions") from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BenchError(
            f"{path}: not a run manifest: {key}: {first['msg']}",
            hint="it was changed or cut off: copy the run folder again from where it was made",
        ) from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise BenchError(
            f"{path}: written by a newer version (schema {manifest.schema_version}, this one reads {SCHEMA_VERSION})",
            hint="install the newer realtime-voice-bench to read it",
        )
    return manifest


def _no_run(root: Path) -> str:
    if root.is_dir():
        return "not a run folder (no run.json in it)"
    return "a file and not a run folder" if root.exists() else "no such folder"


def _where(root: Path) -> str:
    inside = sorted(entry.parent.name for entry in root.glob("*/run.json")) if root.is_dir() else []
    if inside:
        return f"it holds runs; name one of them, the newest is {root / inside[-1]}"
    return "name a folder that `bench run` made; they are in reports/ unless --out was used"

"""A run as an object: what the making of its calls depends on, and what is known of those who made them.

In: what `bench run` or `bench calibrate` prepared. Out: one frozen value, which workers of other processes get as a
package (`bench.workers.package`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.audio.catalogue import Fixture
from bench.config.hosts import is_loopback
from bench.errors import BenchError
from bench.facts.phases import Phase, Phases
from bench.load.health_probe import ProbeReadings
from bench.pricing.book import Books
from bench.scenario.books import books_of
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.store.certificate import HealthCertificate
from bench.store.folder import RunFolder
from bench.store.manifest import WorkerAnchor, WorkerCounts


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who makes the calls: this process (the default), `local` processes of its own, `remote` ones that come to it."""

    local: int = 0
    remote: int = 0
    bind_host: str = "127.0.0.1"
    bind_port: int = 0
    """0 takes a free one."""
    token: str = field(default="", repr=False)
    """What workers on other machines prove that they know; empty only where none can come from elsewhere."""
    burner_ms: float = 0.0
    """How long a greenlet of each local worker holds its loop, again and again: for calibration against it."""

    @property
    def in_this_process(self) -> bool:
        return self.local + self.remote == 0

    @property
    def processes(self) -> int:
        return max(1, self.local + self.remote)

    @classmethod
    def at(cls, bind: str, *, local: int, remote: int, token: str = "") -> Workforce:
        """A master at `bind`, such as `*:5557`.

        Raises `BenchError` when it is not HOST:PORT, or when others can reach it and there is no token.
        """
        host, _, port = bind.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) <= 65_535 or not host:
            raise BenchError(
                f"--bind {bind}: not HOST:PORT, with a port from 1 to 65535",
                hint="such as --bind '*:5557' or --bind 10.0.0.1:5557",
            )
        if not token and not is_loopback(host):
            raise BenchError(
                f"--bind {bind}: other machines can reach this address, and there is no token to keep strangers out",
                hint="give master and workers the same --token env:NAME (make one with: openssl rand -hex 32), "
                f"or listen on this machine alone with --bind 127.0.0.1:{port}",
            )
        return cls(local, remote, host, int(port), token)


@dataclass(frozen=True, slots=True)
class Callee:
    """One target of a run."""

    name: str
    """As rows and thresholds have it."""
    scenario: Scenario
    """As it is if this target alone is called."""
    target: Target
    books: Books
    """What its calls are priced with."""


def callees_of(scenario: Scenario, embedded: Target | None = None) -> tuple[Callee, ...]:
    """Every target that a run of `scenario` calls; `embedded` is the server of a scenario without one.

    Raises `BenchError` for a price book or a model that is not there.
    """
    found = []
    for name, part in scenario.parts().items():
        target = part.target or embedded
        if target is None:
            raise ValueError("a scenario without a target needs the embedded server")
        found.append(Callee(name, part, target, books_of(part)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a run that this load is: a level of a search. Its rows carry its name as their phase."""

    name: str
    first_index: int = 0
    """The run-wide number of its first call: no two calls of a run have the same."""
    settle_ms: int = 0
    """Turns that begin within this time are kept as warm-up."""
    most_calls: int | None = None
    """Calls that its part of the budget lets begin."""

    def phases(self, start_ns: int) -> Phases:
        """The part of it that is left out, and what is judged, if it begins at `start_ns` (monotonic)."""
        settled_ns = start_ns + self.settle_ms * 1_000_000
        return Phases((Phase(self.name, warmup=True), Phase(self.name)), (settled_ns,))


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run, ready to be made."""

    scenario: Scenario
    target: Target
    """The only one, or the first of several."""
    folder: RunFolder
    run_id: str
    books: Books
    """What calls to `target` are priced with."""
    fixtures: Mapping[str, Fixture]
    """Every recording that the conversation may speak, by id."""
    workforce: Workforce = field(default_factory=Workforce)
    interleaved: tuple[Callee, ...] = ()
    """All targets of a run that calls several in turn, the first included; empty for a run of one."""
    stretch: Stretch | None = None
    """None where the load is the whole run."""

    @property
    def callees(self) -> tuple[Callee, ...]:
        """Every target of the run, in the order of the scenario."""
        alone = Callee(self.scenario.target_names[0], self.scenario, self.target, self.books)
        return self.interleaved or (alone,)


@dataclass(frozen=True, slots=True)
class RecordingCost:
    """Calls that were kept as sound, and the seconds that writing them took beside the calls."""

    written: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class WorkersFacts:
    """What the manifest keeps of the workers."""

    anchors: dict[str, WorkerAnchor] = field(default_factory=dict)
    counts: dict[str, WorkerCounts] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    health: HealthCertificate = field(default_factory=HealthCertificate)
    notes: list[str] = field(default_factory=list)
    """Lines for the reader that make nothing of the run doubtful."""
    readings: dict[str, ProbeReadings] = field(default_factory=dict)
    """What the certificate is made of, by worker."""
    recordings: RecordingCost = field(default_factory=RecordingCost)

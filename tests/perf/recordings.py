"""How often the end of speech in a messy recording is wrong without a warning, and outside its range too.

Prints the table of docs/recordings.md.

`python -m tests.perf.recordings [--half held-out|tuned] [--catalogue FILE] [--family WORDS...] [--every N] [--silent]`

Takes clean recordings whose ends are known, does to each what every family of `tests.support.degraded_families` does,
and judges the result as `bench fixtures add` would. The bounds of the checks were chosen on the half "tuned" of the
shipped recordings; "held-out" are other sentences. `--catalogue` takes clean recordings of your own instead. Trap: the
truth is where the dry voice ends, also where a cut, a fade or a room took it away.
"""

from __future__ import annotations

import argparse
import statistics
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.audio.catalogue import Catalogue, load_catalogue, shipped_catalogue
from bench.audio.evidence import Judgement, judge
from bench.audio.formats import FULL_SCALE
from bench.errors import BenchError
from tests.support.degraded_families import FAMILIES
from tests.support.recordings import RATE_HZ, Take

RIGHT_MS = 30.0
LEAD_MS, TAIL_MS = 250, 600
LONGEST_MS = 12_000.0


@dataclass(frozen=True, slots=True)
class Case:
    """One recording, degraded in one way, and what was made of it."""

    family: str
    strength: str
    recording: str
    error_ms: float | None
    doubts: tuple[str, ...]
    refusals: tuple[str, ...]
    width_ms: float | None = None
    """From the earliest to the latest end by the sound itself."""
    beyond_ms: float = 0.0
    """How far the true end is outside that range."""

    @property
    def right(self) -> bool:
        return self.error_ms is not None and abs(self.error_ms) <= RIGHT_MS

    @property
    def told(self) -> bool:
        return bool(self.doubts or self.refusals)

    @property
    def silent(self) -> bool:
        """Wrong, and no warning says so."""
        return not self.right and not self.told

    @property
    def outside(self) -> bool:
        """Wrong, no warning says so, and the range does not hold the true end either."""
        return self.silent and self.beyond_ms > RIGHT_MS


def half_of(fixture_id: str) -> str:
    """Which half a shipped recording belongs to, by its sentence: all voices of a sentence are in the same."""
    return "tuned" if zlib.crc32(fixture_id.rsplit("-", 1)[0].encode()) % 2 == 0 else "held-out"


@cache
def _catalogue(path: Path) -> Catalogue:
    return load_catalogue(path)


def clean_take(path: Path, fixture_id: str, seed: int) -> Take:
    """A clean recording with silence around it."""
    fixture = _catalogue(path).get(fixture_id)
    pcm = fixture.load_pcm(RATE_HZ).astype(np.float64) / FULL_SCALE
    lead_ms = max(0.0, LEAD_MS - fixture.speech_start_ms)
    lead = np.zeros(round(lead_ms * RATE_HZ / 1000))
    made = Take(
        np.concatenate((lead, pcm)),
        fixture.speech_start_ms + lead_ms,
        fixture.speech_end_ms + lead_ms,
        np.random.default_rng(seed),
        fixture.text,
    )
    made.silence_after(TAIL_MS)
    return made


def cases_of(work: tuple[Path, str, str, tuple[str, ...]]) -> list[Case]:
    """Every strength of `families` done to one recording."""
    path, fixture_id, language, families = work
    found = []
    for family in families:
        for strength, degrade in FAMILIES[family].items():
            made = clean_take(path, fixture_id, zlib.crc32(f"{fixture_id}{family}{strength}".encode()))
            if "cut" in family and made.end_ms - made.start_ms < 500:
                continue  # nothing would be left
            degrade(made)
            judged = judge(made.pcm, RATE_HZ, made.text, language)
            found.append(_case(family, strength, fixture_id, made.end_ms, judged))
    return found


def _case(family: str, strength: str, fixture_id: str, true_ms: float, judged: Judgement) -> Case:
    error_ms = None if judged.level is None else judged.level.end_ms - true_ms
    ends = judged.ends
    width_ms = None if ends is None else ends.latest_ms - ends.earliest_ms
    beyond_ms = 0.0 if ends is None else max(ends.earliest_ms - true_ms, true_ms - ends.latest_ms, 0.0)
    return Case(family, strength, fixture_id, error_ms, judged.doubts, judged.refusals, width_ms, beyond_ms)


def measured(path: Path, ids: Iterable[str], families: tuple[str, ...], processes: int) -> list[Case]:
    fixtures = [_catalogue(path).get(name) for name in ids]
    work = [(path, fixture.id, fixture.language, families) for fixture in fixtures]
    with ProcessPoolExecutor(processes) as pool:
        return [case for part in pool.map(cases_of, work, chunksize=1) for case in part]


HEAD = (
    "| what was done to it | recordings | end wrong by > 30 ms | no warning | **outside the range too** | worst | "
    "refused | warned | right, yet told | median error | width of the range: median, p90 |"
)


def table(cases: list[Case], by_strength: bool = False) -> Iterator[str]:
    """Markdown, a row for each family (or each strength), a total below."""
    yield HEAD
    yield "|---" + "|---:" * 10 + "|"
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(f"{case.family}: {case.strength}" if by_strength else case.family, []).append(case)
    for name, group in groups.items():
        yield _row(name, group)
    yield _row("**all**", cases)


def _row(name: str, group: list[Case]) -> str:
    wrong = [case for case in group if not case.right]
    silent = [case for case in wrong if case.silent]
    outside = [case for case in silent if case.outside]
    refused = sum(bool(case.refusals) for case in group)
    warned = sum(bool(case.doubts) and not case.refusals for case in group)
    right = [case for case in group if case.right]
    told = sum(case.told for case in right)
    errors = [abs(case.error_ms) for case in group if case.error_ms is not None]
    worst = max((case.beyond_ms for case in outside), default=None)
    widths = sorted(case.width_ms for case in group if case.width_ms is not None)

    def share(count: int, of: int) -> str:
        return "-" if not of else f"{100 * count / of:.0f} %"

    cells = [
        name,
        str(len(group)),
        share(len(wrong), len(group)),
        f"{share(len(silent), len(group))} ({len(silent)})" if silent else "0",
        f"{share(len(outside), len(group))} ({len(outside)})" if outside else "0",
        "-" if worst is None else f"{worst:,.0f} ms outside",
        share(refused, len(group)),
        share(warned, len(group)),
        share(told, len(right)),
        f"{statistics.median(errors):,.0f} ms" if errors else "-",
        f"{statistics.median(widths):,.0f}, {widths[int(0.9 * (len(widths) - 1))]:,.0f} ms" if widths else "-",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("held-out", "tuned", "both"), default="held-out")
    parser.add_argument("--catalogue", type=Path, help="clean recordings of your own, instead of the shipped ones")
    parser.add_argument("--family", nargs="*", default=[], help="only families whose name holds one of these")
    parser.add_argument("--every", type=int, default=1, help="only every N-th recording")
    parser.add_argument("--strengths", action="store_true", help="a row for each strength")
    parser.add_argument("--silent", action="store_true", help="list what was wrong and silent, and right and told")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    path = (given.catalogue or shipped_catalogue()).resolve()
    names = [
        fixture.id
        for fixture in load_catalogue(path).fixtures.values()
        if fixture.speech_end_ms - fixture.speech_start_ms <= LONGEST_MS
        and (given.catalogue is not None or given.half in ("both", half_of(fixture.id)))
    ][:: given.every]
    families = tuple(name for name in FAMILIES if not given.family or any(word in name for word in given.family))
    if not names or not families:
        raise BenchError("nothing to measure", hint="take --family or --every out")
    cases = measured(path, names, families, given.processes)
    print(f"{len(names)} recordings, {sum(len(FAMILIES[name]) for name in families)} ways, {len(cases)} judged")
    print("\n".join(table(cases, given.strengths)))
    if given.silent:
        for case in cases:
            if case.right == case.told:
                beyond = f"no warning, {case.beyond_ms:,.0f} ms outside the range of {case.width_ms or 0:,.0f} ms"
                said = "; ".join((*case.refusals, *case.doubts)) or beyond
                print(f"{case.family}: {case.strength}: {case.recording}: {case.error_ms or 0:+.0f} ms: {said}")


if __name__ == "__main__":
    main()

"""What was not the same when runs were made, and what that means for comparing them.

In: two or more `View`s. Out: `Condition`s, one for each thing that differs, with its value in each run.
`refuse`: the metrics that it touches mean something else in each run, and are not compared. `warn`: a difference of the
numbers may come from this, unless the user says that it is what is compared. `note`: worth knowing.
Trap: what two runs do not say is not known to be the same. A run of an older version says less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from bench.config.hosts import is_loopback
from bench.measure.metrics import METRICS
from bench.measure.wer import comparable
from bench.report.findings_differences import Condition, Level
from bench.report.view import View, counts
from bench.store.manifest import CalledTarget, Manifest

SHOWN_CHARACTERS = 60
COST = ("cost_per_minute_usd", "cost_usd", "cost_partial_usd")
HEARING = ("stalls", "stall_ms", "longest_stall_ms", "reply_heard_ms", "barge_in_stop_ms", "stall_rate", "stall_free")
"""Metrics that depend on the jitter buffer of the simulated listener."""
_HAVE_A_ROW = ("session.frame", "tags.region")
"""Keys of blocks that have a row of their own."""
NORMALISER = "normaliser of word errors"
WORD_METRICS = ("wer", "cer", "hits", "substitutions", "deletions", "insertions")

_Facts = Callable[[View], str | None]

BLOCKS: tuple[tuple[str, str, Level, tuple[str, ...]], ...] = (
    ("session", "session", "warn", ()),
    ("conversation", "conversation", "warn", ()),
    ("load", "load", "warn", ()),
    ("listener", "listener", "warn", HEARING),
    ("transport", "transport", "warn", ()),
    ("timeouts", "timeouts", "note", ()),
    ("health", "health", "note", ()),
    ("objectives", "objectives", "refuse", ("goodput",)),
    ("tags", "tags", "note", ()),
)
"""Blocks of the scenario, compared key by key. Left out: what has a row of its own, what only judges or estimates."""


def conditions(views: Sequence[View]) -> list[Condition]:
    """Everything that differs between the runs, the gravest first."""
    found = [*_versions(views), *_facts(views), *_blocks(views)]
    order: tuple[Level, ...] = ("refuse", "warn", "note")
    return sorted(found, key=lambda each: order.index(each.level))


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a run says of itself, and what a difference in it means."""

    key: str
    level: Level
    value: str | None
    metrics: tuple[str, ...] = ()
    """The metrics that it touches; none: all."""


def told(view: View) -> dict[str, Told]:
    """All that `conditions` looks at, of one run and by title; what two runs say differently is a condition of theirs.

    For many runs: each is asked once. A title that one run lacks and another has differs as well, but for the versions
    of metrics, which a run of an older version does not tell.
    """
    manifest = view.run.manifest
    found = {title: Told(key, level, read(view), metrics) for key, title, level, metrics, read in FACTS}
    for key, title, level, metrics in BLOCKS:
        for path, value in _leaves(manifest.scenario.get(key), title).items():
            if path not in _HAVE_A_ROW:
                found[path] = Told(key, level, value, metrics)
    for name, version in manifest.metric_versions.items():
        if name in METRICS:
            found[f"definition of {name}"] = Told("version", "refuse", str(version), (name,))
    rules = ", ".join(sorted(counts(view.turns["normaliser"])))
    if rules:
        found[NORMALISER] = Told("normaliser", "refuse", rules, WORD_METRICS)
    return found


def condition_keys() -> list[str]:
    """What a user may call intended: the keys of conditions that warn."""
    known = [*((key, level) for key, _, level, _, _ in FACTS), *((key, level) for key, _, level, _ in BLOCKS)]
    return [key for key, level in known if level == "warn"]


def _versions(views: Sequence[View]) -> Iterator[Condition]:
    """Definitions of metrics, and the rules by which words are compared."""
    rules = [sorted(counts(view.turns["normaliser"])) for view in views]
    known = [each for each in rules if each]
    if not comparable({name for each in known for name in each}):
        yield Condition(
            key="normaliser",
            title=NORMALISER,
            level="refuse",
            values=[", ".join(each) or None for each in rules],
            metrics=list(WORD_METRICS),
            advice="bench report RUN --recompute scores a stored run by the rules of this version",
        )
    versions = [view.run.manifest.metric_versions for view in views]
    if any(not each for each in versions):
        if any(versions):
            yield Condition(
                key="metric versions",
                title="versions of the metrics",
                level="note",
                values=["known" if each else None for each in versions],
                advice="a run of an older version does not say by which definitions it was measured",
            )
        return
    for name in METRICS:
        here = [each.get(name) for each in versions]
        if len({each for each in here if each is not None}) > 1:
            yield Condition(
                key=f"version of {name}",
                title=f"definition of {name}",
                level="refuse",
                values=[None if each is None else f"version {each}" for each in here],
                metrics=[name],
                advice="bench report RUN --recompute measures a stored run by the definitions of this version",
            )


def _scenario(view: View) -> str | None:
    return view.run.manifest.scenario_name


def _of_targets(text: Callable[[CalledTarget], str | None]) -> _Facts:
    def said(view: View) -> str | None:
        manifest = view.run.manifest
        found = [text(target) for target in manifest.targets or [manifest.target]]
        return ", ".join(dict.fromkeys(each for each in found if each)) or None

    return said


def host_of(target: CalledTarget) -> str | None:
    """Where the target is: a region has a host of its own. The ports of this machine are whatever was free."""
    if target.embedded:
        return "embedded server"
    if target.url is None:
        return None
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    return "this machine" if is_loopback(host) else f"{parts.scheme}://{parts.netloc}{parts.path}"


def _frame(view: View) -> str | None:
    found = _block(view.run.manifest, "session").get("frame")
    return None if found is None else str(found)


def _fixtures(view: View) -> str | None:
    """The recordings by their content; the names alone would hide a file that was recorded again."""
    found = view.run.manifest.fixtures
    return ", ".join(f"{name} {sha256[:6]}" for name, sha256 in sorted(found.items())) or None


def _books(view: View) -> str | None:
    found = view.run.manifest.price_books
    return ", ".join(f"{book.name} of {book.date}" if book.date else book.name for book in found) or None


def _region(view: View) -> str | None:
    found = _block(view.run.manifest, "tags").get("region")
    return None if found is None else str(found)


def _machine(view: View) -> str | None:
    host = view.run.manifest.host
    return f"{host.hostname} ({host.cpu_model}, {host.cores} cores)" if host.hostname else None


def _stamps(view: View) -> str | None:
    found = {worker.kernel_stamps for worker in view.run.manifest.workers.values()}
    return "kernel" if found == {True} else None if found <= {None} else "own loop"


def _seed(view: View) -> str | None:
    return None if view.run.manifest.seed is None else str(view.run.manifest.seed)


FACTS: tuple[tuple[str, str, Level, tuple[str, ...], _Facts], ...] = (
    ("scenario", "scenario", "warn", (), _scenario),
    ("model", "model", "warn", (), _of_targets(lambda target: target.model)),
    ("host", "host of the target", "warn", (), _of_targets(host_of)),
    ("region", "region (tags.region)", "warn", (), _region),
    ("dialect", "dialect", "warn", (), _of_targets(lambda target: target.dialect)),
    ("frame", "frame size", "warn", (), _frame),
    ("fixtures", "recordings", "warn", (), _fixtures),
    ("prices", "price books", "warn", COST, _books),
    ("stamps", "stamps of arrivals", "warn", (), _stamps),
    ("seed", "seed", "note", (), _seed),
    ("machine", "machine of the callers", "note", (), _machine),
    ("workers", "workers", "note", (), lambda view: str(len(view.run.manifest.workers))),
    ("version", "version of the bench", "note", (), lambda view: view.run.manifest.bench_version),
)
"""Facts of a run: key, title, what a difference means, the metrics that it touches (none: all), where it is read."""


def _facts(views: Sequence[View]) -> Iterator[Condition]:
    for key, title, level, metrics, read in FACTS:
        values = [read(view) for view in views]
        if len(set(values)) > 1:
            shown = _apart(values) if key == "fixtures" else values
            yield Condition(key=key, title=title, level=level, values=shown, metrics=list(metrics))


def _apart(values: Sequence[str | None]) -> list[str | None]:
    """Lists as what each has that not all have, with how many there are in all."""
    lists = [set(each.split(", ")) if each else set[str]() for each in values]
    common = set.intersection(*lists)
    return [
        None if not each else _short(f"{len(each)}: {', '.join(sorted(each - common)) or 'nothing of its own'}")
        for each in lists
    ]


def _blocks(views: Sequence[View]) -> Iterator[Condition]:
    for key, title, level, metrics in BLOCKS:
        whole = [_leaves(view.run.manifest.scenario.get(key), title) for view in views]
        for path in dict.fromkeys(path for each in whole for path in each):
            values = [each.get(path) for each in whole]
            if len(set(values)) > 1 and path not in _HAVE_A_ROW:
                yield Condition(
                    key=key,
                    title=path,
                    level=level,
                    values=[each and _short(each) for each in values],
                    metrics=list(metrics),
                )


def _leaves(value: object, path: str) -> dict[str, str]:
    """Each key of a block with its value as text; a list is one value."""
    if isinstance(value, Mapping) and value:
        return {place: text for key, part in value.items() for place, text in _leaves(part, f"{path}.{key}").items()}
    return {} if value is None else {path: _flow(value)}


def _flow(value: object) -> str:
    if isinstance(value, str | int | float | bool):
        return str(value)
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def _block(manifest: Manifest, name: str) -> Mapping[str, Any]:
    found = manifest.scenario.get(name)
    return found if isinstance(found, Mapping) else {}

"""The methodology page: what every number means, from the same declarations as the docs and the reports.

In: the metrics, the rules of the site, its settings. Out: sections of tables. Trap: no definition is written twice;
what is said here of a metric is `Metric.definition`.
"""

from __future__ import annotations

from bench.measure.metrics import GROUPS, METRICS, Metric
from bench.report.compare.matters import LEAST_MS, POINTS, SHARE
from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.gate.gate import ALPHA
from bench.report.gate.nights import LEAST_NIGHTS
from bench.report.phrases import capital
from bench.site.config import SiteConfig
from bench.site.digest import AVAILABILITY_DEFINITION
from bench.site.windows import MOST_BAD, OUTAGE, WINDOW

OTHERS = "Shares, words and money"
STATES = (
    ("as usual", "no measure is surely worse or better than in the window"),
    ("regression", "at least one measure is worse: by more than matters, and unlikely by chance"),
    (
        "not recovered",
        "an earlier run was a regression, and what became worse then is still worse than in every run of the window, "
        "though in this run by itself chance may explain it",
    ),
    ("better", "at least one measure is better in the same sense, and none is worse"),
    ("outage", f"fewer than {100 * OUTAGE:g} % of the calls were good"),
    ("first runs", f"fewer than {LEAST_NIGHTS} sound runs of the same kind came before"),
    (
        "not usable",
        "rows are missing, the machine that placed the calls was overloaded, or the run was stopped by hand",
    ),
)


def methodology(config: SiteConfig) -> list[Section]:
    """All of the page."""
    return [
        Section("figures", "The figures of this site", (_figures(config),)),
        Section("verdicts", "Verdicts", (_states(),), _verdicts()),
        Section("ranks", "Ranks and ties", said=_ranks()),
        Section("strengths", "Strengths and weaknesses", said=_strengths()),
        Section("price", "The typical conversation", said=_price(config)),
        Section("metrics", "Every metric", _metrics(), _about_metrics()),
    ]


def _figures(config: SiteConfig) -> Table:
    rows = (
        ("good call", AVAILABILITY_DEFINITION),
        ("availability", "the share of good calls; on a card and on the leaderboard over the last "
         f"{WINDOW} runs together, outages included"),
        ("errors n / m runs", "runs in which at least one call was not good / runs that say something of the target"),
        ("last automated test", "when the newest run with this target began, in UTC"),
        ("now", "the newest run that says something of the target, with the 95 % interval of that run"),
        (f"last {WINDOW} runs", "the mean of the medians (or p95) of the newest runs of the same scenario under "
         f"the same conditions, fewer where there are fewer. From {LEAST_NIGHTS} runs on the 95 % interval comes from "
         "how much these runs differ (Student's t), with fewer from the calls of the run. Shares are pooled over the "
         "runs; their interval is the wider one of Wilson's and that of the runs"),
        ("never", "more turns of the run were not answered than the percentile leaves out, so that it has no size. One "
         "such run leaves the figure over several runs without a size: “-”, and in how many it was so stands beneath; "
         f"“never” where it was so in all of {LEAST_NIGHTS} runs or more"),
        ("no measurements yet", "nobody measured it. It is not zero and not good"),
    )  # fmt: skip
    return _defined("Figures", rows)


def _states() -> Table:
    return _defined("What a verdict says", STATES)


def _verdicts() -> tuple[str, ...]:
    return (
        f"Each run of a target is judged by the newest {WINDOW} sound runs of the same scenario with the same target "
        "that were made before it under the same conditions (load, session, recordings, frame size, region). Left out "
        "are runs that were a regression or an outage themselves or had not recovered from a regression, and runs that "
        f"did not keep the bounds on errors ({100 * MOST_BAD:g} % of calls and of turns). A run that was accepted with "
        "`bench gate --accept` begins a new window.",
        "Judged are median and p95 of the headline latency, availability, WER, stalls, task success, goodput and cost "
        "per minute, as far as they were measured. A measure is worse when a change as large is unlikely by chance, "
        "given how much runs of the window differ from one another (a prediction interval of Student's t; shares as "
        f"arcsines), all measures together by Holm's method: where nothing changed, at most {100 * ALPHA:g} % of "
        f"runs are called a regression. And it must matter: {100 * SHARE:g} % of the usual value, of a time at least "
        f"{LEAST_MS:g} ms, of a share {100 * POINTS:g} percentage point.",
        "What became worse stays worse until it is back: until a run in which it is no worse than in the worst run of "
        "the window. A run before that one which is no alarm by itself is “not recovered”, and later runs are not "
        "judged by it. Otherwise one lucky night of a slow target would make its next slow night a usual one.",
        "A percentile that falls among turns without an answer has no size; it is as unlikely as their share is.",
        "“Unchanged” is said only where a change for the worse that matters would rarely look like this. Where that "
        "cannot be told, the value is said to be within what nights differ by, or that no change was seen. Cost is not "
        "compared with runs that were priced by another price book.",
    )


def _ranks() -> tuple[str, ...]:
    return (
        "Targets are ranked by the median of the headline latency over their last runs. A rank is one more than the "
        "number of targets that are surely faster, so targets that cannot be told apart share a rank and are marked "
        f"as tied. The calls of one run say little of the next, so a target has no rank before it has {LEAST_NIGHTS} "
        "runs with a median.",
        "Surely: a two-sided test of the difference at 5 % over all pairs of the table (Bonferroni). Targets that took "
        "turns in the same runs are compared run by run; others as independent runs (Welch). Where a figure is “never” "
        "in some runs, it counts only which target had the lower one (sign test, rank sums).",
    )


def _strengths() -> tuple[str, ...]:
    return (
        "A strength is stated where the target is better than every other target of the scenario in median, p95, "
        "availability, WER or cost per minute, by a difference that matters, at 5 % over all these comparisons; a "
        "weakness where it is worse than every other one in the same sense. With one target there are none of these.",
        "An accent is a weakness where its WER over the last runs is higher than that of all other accents together by "
        f"at least one percentage point, unlikely by chance. All of them need {LEAST_NIGHTS} runs of each target.",
        "Beneath each the page shows its rule and its numbers.",
    )


def _price(config: SiteConfig) -> tuple[str, ...]:
    return (
        f"It has {config.conversation.sentence}.",
        "Its price comes from dated price books, not from a run: each book is a reading of the vendor's pages, and the "
        "line is level between two readings. The owner of the site sets the conversation in its settings "
        "(`conversation:`). What a minute of measured conversation cost stands beside it on each card.",
    )


def _about_metrics() -> tuple[str, ...]:
    return (
        "Zero of every latency is the annotated end of the caller's speech in the recording. Arrivals are stamped by "
        "the kernel where it can. Turns that the harness sent late are left out and counted.",
    )


def _metrics() -> tuple[Table, ...]:
    tables = []
    for group, title in GROUPS.items():
        tables.append(_defined_metrics(title, [metric for metric in METRICS.values() if metric.group == group]))
    rest = [metric for metric in METRICS.values() if metric.group is None]
    return (*tables, _defined_metrics(OTHERS, rest))


def _defined_metrics(title: str, metrics: list[Metric]) -> Table:
    columns = (Column("unit", text=True), Column("definition", text=True))
    rows = tuple(
        Row(capital(metric.title), (Cell(metric.unit), Cell(metric.definition)), metric=metric.name)
        for metric in metrics
    )
    return Table(title, columns, rows, "Metric")


def _defined(title: str, rows: tuple[tuple[str, str], ...]) -> Table:
    return Table(title, (Column("meaning", text=True),), tuple(row(name, said) for name, said in rows), "Name")

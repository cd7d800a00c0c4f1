"""The whole report as sections of tables, built once; the terminal, Markdown and the page render the same ones.

In: a `Summary`. Out: `Section`s in the order of the report. Every figure is text from here on.
"""

from __future__ import annotations

from bench.measure.metrics import GROUPS, METRICS, Group
from bench.report.bill_section import cost_section
from bench.report.captions_section import captions_section
from bench.report.ceiling_section import ceiling_section
from bench.report.document import Cell, Column, Row, Section, Table, barred, lines, row
from bench.report.findings import ErrorRow, LatencyCut, MetricRow, Summary
from bench.report.findings_parts import Interval, Rate
from bench.report.findings_words import WordRow
from bench.report.groups_section import groups_section
from bench.report.headroom_section import headroom_section
from bench.report.health_text import calibration_section, trust_section
from bench.report.latency import IN_ORDER
from bench.report.long_calls_section import long_calls_section
from bench.report.phases_section import phases_section
from bench.report.phrases import (
    MISSING,
    amount,
    between,
    between_percent,
    capital,
    digits,
    failure,
    label,
    no_words,
    number,
    of,
    percent,
    seconds,
)
from bench.report.previous_section import previous_section
from bench.report.recorded_section import recorded_section
from bench.report.recordings_section import recordings_section
from bench.report.reply_words import reply_words_section
from bench.report.targets_section import targets_section
from bench.report.tasks_section import tasks_section
from bench.report.thresholds_section import thresholds_section

BRIEF_ROWS = 8
NORMAL_CLOSE = 1000
RANGES = "Ranges are 95 % intervals."
LATENCY = (
    "From the acoustic end of the caller's speech, over answered turns. A percentile is blank (-) when there are too "
    "few turns for it: p90 needs 10, p95 needs 20, p99 needs 100."
)
CONNECTING = (
    "From the moment at which the call was planned to begin, so that waiting to connect is part of it. A greeting "
    "counts from the moment at which the session is ready."
)
TAKING = (
    "What an interruption does counts from its acoustic onset, over all turns that cut into a reply, answered or not. "
    "A reply stops with the last sample that the caller hears."
)
DEAD_AIR = (
    "Dead air is silence on the line from the caller's last word until the reply has been heard to its end, over "
    "answered turns: the wait for it, its stalls and the waits for tools."
)
SPEECH = "What a listener with a jitter buffer hears of the reply, and how fast it comes."
WORDS = (
    "Pooled word error rate of the server's own transcription of the caller: all errors over all reference words, on "
    "normalised text{}. Raw WER compares the texts as they came, with case and punctuation: it says how much the "
    "normaliser forgives."
)
DEFINITIONS = (
    "Percentiles are inclusive and linear between ranks, exact from every row. Intervals are 95 % and resample or "
    "cluster by whole calls, since the turns of one call are not independent{}; they are blank below five calls. "
    "Shares have Wilson intervals."
)
EMPTY = "all their words count as lost"
_SHARE = (Column("share"), Column("count", text=True))


def sections(summary: Summary) -> list[Section]:
    """All sections that have something to say."""
    found = [
        targets_section(summary),
        phases_section(summary),
        ceiling_section(summary),
        thresholds_section(summary),
        previous_section(summary),
        _turns(summary),
        captions_section(summary, _percentiles(summary, "captions")),
        _latency(summary),
        _slowest(summary),
        recorded_section(summary),
        Section("connect", "Connecting", _percentiles(summary, "connect"), (CONNECTING,)),
        long_calls_section(summary),
        _taking(summary),
        _speech(summary),
        _words(summary),
        reply_words_section(summary),
        tasks_section(summary),
        groups_section(summary),
        cost_section(summary),
        headroom_section(summary),
        _load(summary),
        trust_section(summary, _percentiles(summary, "harness")),
        recordings_section(summary),
        calibration_section(summary.calibration),
        _environment(summary),
        _definitions(summary),
    ]
    return [section for section in found if section.tables]


def _turns(summary: Summary) -> Section:
    turns, calls = summary.turns, summary.calls
    by_status = ", ".join(f"{name} {count:,}" for name, count in turns.by_status.items())
    possible = (turns.planned or 0) - turns.cut_off
    chain = f"{number(turns.planned)} planned, {turns.begun:,} begun, {turns.answered_of_begun:,} answered"
    rows = (
        row("Planned turns answered", _share(turns.answered_of_begun, possible), chain),
        *([row("Turns cut off by the end (left out)", "", f"{turns.cut_off:,}")] if turns.cut_off else []),
        *([row("Failed by the harness (left out)", "", _own(summary))] if turns.harness or calls.harness else []),
        row("Calls that became ready", _share(calls.ready, calls.measured), f"{calls.ready:,} of {calls.measured:,}"),
        row("Turns answered", _share(turns.answered, turns.measured), f"{turns.answered:,} of {turns.measured:,}"),
        row("Turns, by status", "", by_status or MISSING),
        row("Turns, warm-up (left out)", "", f"{turns.warmup:,}"),
        row("Turns, late ourselves (left out)", "", f"{turns.client_late:,}"),
        *map(_rate, summary.rates),
        *(
            [row("Words of another call (cross-talk)", "", f"{summary.cross_talk_turns:,}")]
            if summary.words.scored
            else []
        ),
    )
    table = Table("Turns, calls and error rates", _SHARE, rows, "What", "TURNS", (RANGES,))
    said = f"{amount(turns.total, 'turn')} in {amount(calls.total, 'call')}."
    return Section("turns", "Turns and calls", (table, *_errors(summary)), (said,))


def _own(summary: Summary) -> str:
    return f"{amount(summary.calls.harness, 'call')}, {amount(summary.turns.harness, 'turn')}"


def _rate(rate: Rate) -> Row:
    return row(capital(rate.title), _percent(rate.rate, rate.interval), of(rate), metric=rate.name)


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)


def _percent(share: float | None, limits: Interval | None) -> Cell:
    return Cell(percent(share), "" if limits is None else between_percent(limits))


def _value(value: float | None, limits: Interval | None, places: int = 0) -> Cell:
    shown = between(limits, places)
    return Cell(number(value, places), "" if shown == MISSING else shown)


def _errors(summary: Summary) -> tuple[Table, ...]:
    """Calls and turns apart: one refused call may be the cause of many turns that were never spoken."""
    calls, turns = ([each for each in summary.errors if each.level == level] for level in ("call", "turn"))
    found = (
        _error_table("Calls with an error, most frequent first", "CALLS WITH AN ERROR", calls),
        _error_table("Turns without an answer, most frequent first", "TURNS WITHOUT AN ANSWER", turns),
    )
    return tuple(table for table in found if table.rows)


def _error_table(title: str, heading: str, errors: list[ErrorRow]) -> Table:
    rows = [
        row(
            " · ".join(part for part in (each.target, each.status, each.error_kind, each.error_code) if part),
            f"{each.count:,}",
            _status(each),
            each.stage or MISSING,
            failure(each),
        )
        for each in errors
    ]
    columns = (
        Column("count"),
        Column("HTTP or close code", text=True),
        Column("stage", text=True, brief=False),
        Column("example", text=True),
    )
    lengths = [float(each.count) for each in errors]
    return Table(title, columns, barred(rows, lengths), "Kind", heading, most=BRIEF_ROWS, bars="bad")


def _status(found: ErrorRow) -> str:
    """The number by which the other side refused or hung up."""
    if found.http_status is not None:
        return f"HTTP {found.http_status}"
    return MISSING if found.close_code in (None, NORMAL_CLOSE) else f"close {found.close_code}"


def _percentiles(summary: Summary, group: Group) -> tuple[Table, ...]:
    """The metrics of a group; those whose low values are the bad ones have a table of their own."""
    rows = [found for found in summary.metrics if found.group == group]
    better = f"{GROUPS[group].removesuffix(' (higher is better)')} (higher is better)"
    high, low = ([each for each in rows if (each.worse == "lower") is low] for low in (False, True))
    return tuple(_percentile_table(title, part) for title, part in ((GROUPS[group], high), (better, low)) if part)


def _percentile_table(title: str, rows: list[MetricRow]) -> Table:
    first, harness = rows[0], rows[0].group == "harness"
    labels = [found.label for found in first.percentiles]
    columns = [Column("n"), *map(Column, labels), Column("min" if first.worse == "lower" else "max")]
    lost = any(each.unanswered for each in rows)
    if lost:
        columns += [Column("unanswered", brief=False), Column(f"{labels[0]}*", brief=False), Column(f"{labels[2]}*")]
    shown, same = _distinct(rows)
    who = "call that never became ready" if first.per == "call" else "turn that nobody answered"
    return Table(
        title,
        tuple(columns),
        tuple(_metric(each, lost=lost) for each in shown),
        "Metric",
        heading="" if harness else title.upper(),
        notes=(RANGES,),
        footnotes=(*([f"* with each {who} counted as infinite"] if lost else []), *same),
        quoted=3,
        folded=harness,
    )


def _distinct(rows: list[MetricRow]) -> tuple[list[MetricRow], list[str]]:
    """The rows without those that hold the same figures as the one before them, and sentences that name these."""
    shown: list[MetricRow] = []
    same: dict[str, list[str]] = {}
    for found in rows:
        before = shown[-1] if shown else None
        if before is not None and _figures_of(found) == _figures_of(before):
            same.setdefault(METRICS[before.name].title, []).append(METRICS[found.name].title)
        else:
            shown.append(found)
    return shown, [f"{capital(' and '.join(others))}: the same as {first}" for first, others in same.items()]


def _figures_of(found: MetricRow) -> tuple[object, ...]:
    values = tuple((each.value, each.with_unanswered) for each in found.percentiles)
    return METRICS[found.name].unit, found.n, found.worst, found.unanswered, values


def _metric(found: MetricRow, *, lost: bool) -> Row:
    places = digits(found)
    cells = [Cell(f"{found.n:,}"), *(_value(each.value, each.interval, places) for each in found.percentiles)]
    cells.append(Cell(number(found.worst, places)))
    if lost:
        cells.append(Cell(f"{found.unanswered:,}"))
        inflated = (found.percentiles[0], found.percentiles[2])
        cells += [_value(each.with_unanswered, each.with_unanswered_interval, places) for each in inflated]
    return row(label(found), *cells, metric=found.name, brief=not METRICS[found.name].detail)


def _latency(summary: Summary) -> Section:
    cuts = summary.latency_cuts
    # Where each part has too few turns for a median, a table of them says nothing.
    tables = [
        _cut(cuts.title, name, rows, cuts.not_shown.get(name))
        for name, rows in (cuts.cuts.items() if cuts else ())
        if cuts and any(each.p50 is not None for each in rows)
    ]
    return Section(
        "latency", "Latency", (*_percentiles(summary, "latency"), *_percentiles(summary, "stages"), *tables), (LATENCY,)
    )


def _cut(title: str, name: str, cuts: list[LatencyCut], not_shown: int | None) -> Table:
    rows = (
        row(
            each.name,
            _value(each.p50, each.p50_interval),
            _value(each.p95, each.p95_interval),
            f"{each.n:,}",
            f"{each.unanswered:,}",
        )
        for each in cuts
    )
    return Table(
        f"{capital(title)} by {_cut_name(name)}, ms{'' if name in IN_ORDER else ', slowest median first'}",
        (Column("p50"), Column("p95"), Column("n"), Column("unanswered")),
        barred(rows, [each.p50 for each in cuts]),
        capital(_cut_name(name)),
        notes=(f"{not_shown:,} faster ones are not shown.",) if not_shown else (),
        bars="usual",
    )


def _cut_name(column: str) -> str:
    """What a reader calls a column whose values rows are told apart by."""
    return {"caller_kind": "kind of caller"}.get(column, column)


def _slowest(summary: Summary) -> Section:
    """The milestones of the slowest turns; the page draws them as well."""
    rows = tuple(
        row(
            turn.session_id,
            f"{turn.turn + 1}",
            turn.fixture,
            number(turn.open_sessions),
            ", ".join(f"{mark.title} {number(mark.at_ms)}" for mark in turn.marks),
        )
        for turn in summary.charts.slowest
    )
    columns = (Column("turn"), Column("fixture", text=True), Column("open calls"), Column("milestones", text=True))
    title = "The slowest turns: milestones in ms since the end of the caller's speech"
    table = Table(title, columns, rows, "Call", folded=True)
    if not rows:
        return Section("slowest", "Slowest turns")
    slowest = summary.charts.slowest[0]
    said = f"Every event of a call, with its times: bench events RUN {slowest.session_id} --turn {slowest.turn + 1}"
    return Section("slowest", "Slowest turns", (table,), (said,))


def _taking(summary: Summary) -> Section:
    rows = tuple(map(_rate, summary.taking))
    shares = Table("Who spoke into whom", _SHARE, rows, "What", "WHO SPOKE INTO WHOM", (RANGES,))
    tables = (*_percentiles(summary, "taking"), *((shares,) if rows else ()))
    names = {found.name for found in summary.metrics}
    said = ((DEAD_AIR,) if "dead_air_ms" in names else ()) + ((TAKING,) if "barge_in_stop_ms" in names else ())
    return Section("taking", "Turn taking", tables, said)


def _speech(summary: Summary) -> Section:
    rows = tuple(map(_rate, summary.continuity))
    continuity = Table("Continuity of the replies", _SHARE, rows, "What", "CONTINUITY", (RANGES,))
    tables = (*_percentiles(summary, "delivery"), *((continuity,) if rows else ()), *_percentiles(summary, "rates"))
    return Section("speech", "Speech delivery", tables, (SPEECH,))


def _words(summary: Summary) -> Section:
    words, found = summary.words, summary.words.overall
    missing = words.expected - words.scored - words.failed
    said = WORDS.format(f" ({', '.join(words.normalisers)})" if words.normalisers else "")
    if found is None:
        why = words.incomparable or f"not measured: {no_words(summary.run.scenario, words.expected)}"
        rows, said = [row("WER", MISSING, why)], ""
    else:
        errors = f"{found.substitutions:,} wrong, {found.deletions:,} lost, {found.insertions:,} added"
        rows = [
            row("WER, pooled", _percent(found.wer, found.interval), "", metric="wer"),
            row("WER, raw texts", percent(found.wer_raw), ""),
            row("WER, whisper's normaliser", percent(found.wer_whisper), ""),
            *([row("CER, pooled", percent(found.cer), "")] if found.cer is not None else []),
            row("Reference words", f"{found.reference_words:,}", errors),
            row("Turns with a transcription", f"{words.scored:,} of {words.expected:,}", ""),
            *([row("Transcriptions without a word", f"{words.empty:,}", EMPTY)] if words.empty else []),
            *([row("Transcriptions that failed", f"{words.failed:,}", "left out")] if words.failed else []),
            *([row("Turns without a transcription", f"{missing:,}", "left out")] if missing else []),
        ]
    columns = (Column("value"), Column("made of", text=True))
    table = Table("All turns", columns, tuple(rows), "What", "WORDS (what the server understood)", (RANGES,))
    cuts = (_word_cut(name, cut, words.not_shown.get(name)) for name, cut in words.cuts.items())
    tables = (table, *_confused(summary), *cuts)
    return Section("words", "Words: what the server understood", tables, (said,) if said else ())


def _confused(summary: Summary) -> list[Table]:
    found = summary.words.confusions
    if not found:
        return []
    columns = (Column("heard", text=True), Column("times", "times"), Column("turns", "turns"))
    rows = tuple(
        row(each.said or "(nothing)", each.heard or "(nothing)", f"{each.times:,}", f"{each.turns:,}") for each in found
    )
    return [Table("Most confused words", columns, rows, "Said", "MOST CONFUSED WORDS", most=BRIEF_ROWS)]


def _word_cut(name: str, cut: list[WordRow], not_shown: int | None) -> Table:
    rows = []
    for each in cut:
        counts = (each.turns, each.reference_words, each.substitutions, each.deletions, each.insertions)
        shown = (f"{count:,}" for count in counts)
        rows.append(row(each.name, _percent(each.wer, each.interval), *shown, percent(each.wer_raw)))
    others = (Column(title, brief=False) for title in ("words", "wrong", "lost", "added", "raw WER"))
    return Table(
        f"WER by {_cut_name(name)}",
        (Column("WER"), Column("turns", "turns"), *others),
        barred(rows, [each.wer for each in cut]),
        capital(_cut_name(name)),
        heading=f"WER BY {_cut_name(name).upper()}" if name in {"accent", "voice", "caller_kind"} else "",
        notes=(f"{not_shown:,} more with a lower rate are not shown; turns.csv has every turn.",) if not_shown else (),
        most=BRIEF_ROWS,
        bars="usual",
        folded=name == "fixture",
    )


def _load(summary: Summary) -> Section:
    load = summary.load
    rows = (
        ("Offered", load.sentence),
        ("Calls open at once, most", number(load.peak_open_calls)),
        ("Callers talking at once, most", number(load.peak_talking)),
        ("Elapsed", seconds(load.elapsed_s)),
        ("Turns per minute", number(load.turns_per_min, 1)),
        ("Calls per minute", number(load.calls_per_min, 1)),
        ("Minutes of audio, sent", number(load.caller_audio_min, 1)),
        ("Minutes of audio, received", number(load.reply_audio_min, 1)),
    )
    title = "Offered as the scenario says, achieved as the rows show"
    return Section("load", "Load", (lines(title, rows, heading="LOAD"),))


def _environment(summary: Summary) -> Section:
    run, host = summary.run, summary.run.host
    rows = (
        ("Run", run.run_id),
        ("Command", " ".join(run.command)),
        *_targets(summary),
        ("Seed", run.seed),
        ("Version", run.bench_version),
        ("Commit", run.git and f"{run.git.commit}{', with changes' if run.git.dirty else ''}"),
        ("Python", run.python),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in run.libraries.items())),
        ("Processor", host.cpu_model),
        ("Cores", host.cores),
        ("Memory", host.memory_bytes and f"{number(host.memory_bytes / (1 << 30), 1)} GiB"),
        ("Platform", host.platform),
        ("Kernel", host.kernel),
        ("Workers", len(run.workers) or None),
        ("Fixtures", len(run.fixtures) or None),
    )
    shown = [(name, MISSING if value in (None, "") else str(value)) for name, value in rows]
    return Section("environment", "Scenario and environment", (lines("What was run, where", shown),))


def _targets(summary: Summary) -> list[tuple[str, str | None]]:
    """Who was called; each by its name where there are several."""
    run = summary.run
    if not run.interleaved:
        return [("Target", run.target.url), ("Dialect", run.target.dialect), ("Model", run.target.model)]
    return [
        (f"Target {each.name}", " · ".join(part for part in (each.url, each.dialect, each.model) if part))
        for each in run.targets
    ]


def _definitions(summary: Summary) -> Section:
    """What each metric of the report means; its rows are what the titles of other tables refer to."""
    names = [row.name for row in summary.metrics] + [
        rate.name for rate in summary.rates + summary.taking + summary.continuity
    ]
    rows = tuple(
        row(capital(METRICS[name].title), name, summary.definitions[name], metric=name)
        for name in (*names, "wer", "cost_usd")
    )
    methods = sorted({row.method for row in summary.metrics if row.method})
    said = DEFINITIONS.format(f" (here: {'; '.join(methods)})" if methods else "")
    columns = (Column("column", text=True), Column("definition", text=True))
    return Section("definitions", "Definitions", (Table("What each number means", columns, rows, "Metric"),), (said,))

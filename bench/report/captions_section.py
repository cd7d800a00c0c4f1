"""Captions as tables: delays of words, stability, cost. Nothing for a run without sessions that only transcribe."""

from __future__ import annotations

from bench.report.document import Column, Row, Section, Table, row
from bench.report.figure_cell import figure_cell
from bench.report.findings import Summary
from bench.report.findings_captions import CaptionRow, Captions
from bench.report.findings_parts import Figure
from bench.report.phrases import MISSING, amount, number, percent, usd

SAID = (
    "From the end of each word's sound, over all words of the final texts. A word is shown when there is text in its "
    "place, and settled when from then on it reads as in the final text. Ends of words come from laying the text along "
    "the recording and are good to some 50 ms; ranges are 95 % intervals over calls."
)
_ALL = "all"


def captions_section(summary: Summary, percentiles: tuple[Table, ...]) -> Section:
    """`percentiles`: the table of the metrics of turns."""
    found = summary.captions
    if not found.rows:
        return Section("captions", "Captions", ())
    labels = [f"p{percent_:g}" for percent_ in found.percents]
    rows = [line for each in _shown(found) for line in _delays(each)]
    notes = []
    if found.untimed_turns:
        notes.append(f"No end of a word is known in {amount(found.untimed_turns, 'turn')}.")
    columns = (Column("words"), *map(Column, labels))
    words = Table("Delay of words", columns, tuple(rows), "Words", "CAPTIONS: DELAY OF WORDS", tuple(notes), quoted=3)
    return Section("captions", "Captions", (words, _stability(found), *percentiles), (SAID,))


def _shown(found: Captions) -> list[CaptionRow]:
    """Each target where there are several: words of a streaming transcriber and of another are no one distribution."""
    return found.rows[1:] or found.rows


def _delays(each: CaptionRow) -> list[Row]:
    of = "" if each.name == _ALL else f", {each.name}"

    def line(title: str, figures: list[Figure]) -> Row:
        cells = [figure_cell(figure, number) for figure in figures]
        return row(f"{title}{of}, ms", f"{each.words:,}", *cells)

    return [line("Word shown", each.shown_ms), line("Word settled", each.settled_ms)] if each.words else []


def _stability(found: Captions) -> Table:
    rows = []
    for each in _shown(found):
        of = "" if each.name == _ALL else f", {each.name}"
        share = each.changes / each.words_shown if each.words_shown else None
        said = f"{amount(each.changes, 'change')} to {amount(each.words_shown, 'word')}"
        rows.append(row(f"Words changed after they were shown{of}", percent(share), said))
    for title, minutes in (("audio sent", found.audio_minutes), ("speech", found.speech_minutes)):
        known = found.cost_usd is not None and minutes
        cost = usd(found.cost_usd / minutes) if known and found.cost_usd is not None and minutes else MISSING
        said = f"{usd(found.cost_usd)} for {number(minutes, 2)} minutes" if known else "no known cost"
        rows.append(row(f"Cost per minute of {title}", cost, said))
    return Table(
        "Stability and cost",
        (Column("value"), Column("count", text=True)),
        tuple(rows),
        "What",
        "CAPTIONS: STABILITY AND COST",
    )

"""What a turn, or the rest of a call, is billed: the same arithmetic and the same columns for both.

In: responses, the transcription that was heard, price books. Out: a `Cost`, and columns of a row.
Trap: what belongs to no turn's row (a greeting, a reply to silence, usage that came after the row was written, a turn
that the end of the run cut off) is billed all the same. `rest_of_call` finds it, so that every token is in one row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.facts.signals import InputTranscript, ResponseEnded, SessionCreated, TranscriptionUsage, Usage
from bench.facts.timeline import Entry, Timeline
from bench.measure.legs import speech_columns, speech_of, transcriber_of, transcriptions_of
from bench.measure.replies import Reply, add_usage, collect_replies
from bench.measure.transcript import add_transcriptions, add_usages, entries_of_row
from bench.pricing.book import Books
from bench.pricing.price import Bill, Cost, Unknown, price_turn, with_speech

Columns = dict[str, Any]
"""Some columns of a row, by name; a name that it lacks is a bug and raises."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Transcriptions as they are billed: what was counted, of how many, and whether one is still missing."""

    usage: TranscriptionUsage | None = None
    items: int = 0
    unbilled: int = 0
    overdue: bool = False
    model: str | None = None
    """The transcriber, where the server tells of it; else it is the one that was asked for."""

    def as_told(self, replies: Sequence[Reply]) -> Spoken:
        """What the server tells of the services behind it in the place of this; itself where it tells nothing.

        Words that nobody asked for are billed all the same.
        """
        told = transcriptions_of(replies)
        if not told:
            return self
        counted = [usage for usage in told if usage is not None]
        return Spoken(add_usages(counted), len(told), len(told) - len(counted), model=transcriber_of(replies))


def server_model(entries: Iterable[Entry]) -> str | None:
    """The model as the server names it, which may differ from what was asked for (deployments have own names)."""
    for entry in entries:
        if isinstance(entry.signal, SessionCreated) and entry.signal.model:
            return entry.signal.model
    return None


def priced_model(timeline: Timeline, book: Books, entries: Sequence[Entry] | None = None) -> str | None:
    """The model whose prices count: the one that was asked for, or where no book lists it, the server's own word.

    `entries`: those that were known at the time, if not all.
    """
    asked = timeline.labels.model
    if book.rates(asked) is not None:
        return asked
    return server_model(timeline.entries if entries is None else entries) or asked


def cost_of(timeline: Timeline, model: str | None, replies: Sequence[Reply], spoken: Spoken, book: Books) -> Cost:
    """The price of `replies` and `spoken` as `model`'s; null as soon as a used meter has no count or no price."""
    transcriber = spoken.model or timeline.transcription_model
    cost = price_turn(
        [_bill(reply) for reply in replies],
        spoken.usage,
        book.rates(model),
        book.transcription(model, transcriber),
        transcribed=spoken.items > 0 or spoken.overdue,
        unpriced=book.why_unpriced(timeline.labels.model or model) or "no price for this model",
        unpriced_transcription=book.why_transcription_unpriced(transcriber),
    )
    speech = speech_of(replies)
    if speech is not None:
        cost = with_speech(cost, speech, book.speech(speech.model), book.why_speech_unpriced(speech.model))
    cost = replace(cost, notes=(*cost.notes, *_refused(replies, spoken)))
    missing = _missing_transcription(spoken)
    if missing is None or spoken.usage is None:
        return cost
    # Named beside a missing price: a book that has the price does not give the count.
    lack = Unknown("transcription", missing)
    return replace(cost, total_usd=None, unknown=(*cost.unknown, lack), notes=(*cost.notes, missing))


def _refused(replies: Sequence[Reply], spoken: Spoken) -> list[str]:
    """Counts that cannot be, as the server gave them."""
    counted = [usage for usage in (*(reply.usage for reply in replies), spoken.usage) if usage is not None]
    lines = dict.fromkeys(line for usage in counted for line in usage.refused)
    return [f"the server counted what cannot be: {line}" for line in lines]


def _bill(reply: Reply) -> Bill:
    return Bill(
        reply.usage,
        status=reply.ended.status if reply.ended is not None else None,
        delivered=reply.first_output_ns is not None or bool(reply.tools),
    )


def _missing_transcription(spoken: Spoken) -> str | None:
    if spoken.unbilled:
        return f"{spoken.unbilled} of {spoken.items} transcriptions came without usage"
    return "a transcription did not come in time" if spoken.overdue else None


@dataclass(frozen=True, slots=True)
class Rest:
    """What a call was billed outside the rows of its turns."""

    responses: int
    """Responses that belong to no row; the others of `replies` only ended after their row was written."""
    replies: list[Reply]
    spoken: Spoken


def rest_of_call(timeline: Timeline, turns_with_rows: Collection[int]) -> Rest:
    """What no row of `turns_with_rows` holds."""
    turns = [turn for turn in timeline.turns if turn.index in turns_with_rows]
    rows = [entry for turn in turns for entry in entries_of_row(timeline, turn)]
    in_rows = {entry.response for entry in rows}
    billed = {entry.response for entry in rows if isinstance(entry.signal, ResponseEnded)}
    others: dict[int, list[Entry]] = {}
    for entry in timeline.entries:
        if entry.response is not None and entry.response not in billed:
            others.setdefault(entry.response, []).append(entry)
    replies = {number: collect_replies(entries)[0] for number, entries in others.items()}
    late = [reply for number, reply in replies.items() if number in in_rows and reply.ended is not None]
    outside = [reply for number, reply in replies.items() if number not in in_rows]
    rest, spoken = outside + late, _spoken_outside(timeline, rows)
    return Rest(len(outside), rest, spoken.as_told(rest))


def _spoken_outside(timeline: Timeline, rows: Sequence[Entry]) -> Spoken:
    """The transcriptions that no row holds: of silence, or later than a row could wait."""
    own = {id(entry) for entry in rows}
    met = {entry.signal.item_id for entry in rows if isinstance(entry.signal, InputTranscript) and entry.signal.final}
    finals: list[InputTranscript] = []
    for entry in timeline.entries:
        signal = entry.signal
        if id(entry) in own or not isinstance(signal, InputTranscript) or not signal.final:
            continue
        if signal.item_id is None or signal.item_id not in met:
            finals.append(signal)
            met.add(signal.item_id)
    return Spoken(add_transcriptions(finals), len(finals), sum(signal.usage is None for signal in finals))


def usage_columns(usage: Usage | None, spoken: TranscriptionUsage | None) -> Columns:
    """Counts as the server billed them; a count that it did not give is absent."""
    columns: Columns = {}
    if usage is not None:
        columns |= {
            "in_text": usage.in_text_tokens,
            "in_audio": usage.in_audio_tokens,
            "in_image": usage.in_image_tokens,
            "in_cached_text": usage.in_cached_text_tokens,
            "in_cached_audio": usage.in_cached_audio_tokens,
            "in_cached_image": usage.in_cached_image_tokens,
            "in_total": usage.in_total_tokens,
            "out_text": usage.out_text_tokens,
            "out_audio": usage.out_audio_tokens,
            "out_reasoning": usage.out_reasoning_tokens,
            "out_total": usage.out_total_tokens,
        }
    if spoken is not None:
        columns |= {
            "transcription_seconds": spoken.seconds,
            "transcription_in_text": spoken.in_text_tokens,
            "transcription_in_audio": spoken.in_audio_tokens,
            "transcription_out_text": spoken.out_text_tokens,
        }
    return columns


def cost_columns(cost: Cost) -> Columns:
    """A price and its parts."""
    return {
        "cost_usd": cost.total_usd,
        "cost_partial_usd": cost.known_usd if cost.total_usd is None else None,
        "cost_input_usd": cost.input_usd,
        "cost_cached_usd": cost.cached_usd,
        "cost_output_usd": cost.output_usd,
        "cost_transcription_usd": cost.transcription_usd,
        "cost_speech_usd": cost.speech_usd,
        "cost_unknown": "; ".join(str(each).replace(";", ",") for each in cost.unknown) or None,
        "cost_note": "; ".join(cost.notes) or None,
    }


def rest_columns(rest: Rest, cost: Cost) -> Columns:
    """The columns of the rest of a call, all named `other_*`."""
    columns = usage_columns(add_usage(rest.replies), rest.spoken.usage) | speech_columns(rest.replies)
    columns |= cost_columns(cost)
    return {"other_responses": rest.responses} | {f"other_{name}": value for name, value in columns.items()}

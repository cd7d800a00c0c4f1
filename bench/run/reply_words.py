"""Does the agent say what it writes? After a run, a recogniser listens to the replies of the recorded calls.

In: a finished run with recordings, and a recogniser. Out: columns of the turns whose replies were heard whole, and
in the manifest how well it hears: its errors on the embedded voice, and against transcripts of other replies.
Trap: its own errors are part of the rate. A rate is read beside these two numbers, never alone.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from bench.audio.formats import resample
from bench.errors import BenchError
from bench.facts.timeline import Timeline
from bench.measure.outcome import ANSWERED
from bench.measure.reply_words import REPLY_COLUMNS, score_reply, spoken_replies
from bench.measure.wer import WordScore
from bench.report.recorded_calls import recorded_calls
from bench.run.recogniser import Recogniser, Samples
from bench.store.finish import change_turns
from bench.store.manifest import ReplyWords, write_manifest
from bench.store.reader import Run, iter_timelines, read_run

NS_PER_S = 1_000_000_000
MARGIN_S = 0.15
"""Heard before and after a reply: a word that is cut at its edge is another word."""
KNOWN_SENTENCES = (
    "Your checking account holds two hundred and forty six dollars.",
    "We are open from nine to six, Monday to Friday.",
    "Hello, thank you for calling. How can I help you today?",
    "Your order is on its way and will arrive on Thursday.",
    "The family plan costs thirty dollars a month.",
    "I have sent you a link to choose a new password.",
    "Your appointment is on Tuesday at ten in the morning.",
    "I am sorry, I did not hear you. Could you say that again?",
)
LISTENING = "listening to the recorded replies ..."
KNOWN_VOICE = "alloy"


@dataclass(frozen=True, slots=True)
class _Heard:
    """A reply that was listened to."""

    call: str
    turn: int
    written: str
    words: str
    language: str
    score: WordScore


def heard_replies(run: Run) -> dict[tuple[str, int], str]:
    """What was heard of each reply when somebody listened, by (session id, turn)."""
    rows = run.turns[run.turns["reply_hypothesis"].notna()]
    keys = zip(rows["session_id"], rows["turn"], strict=True)
    return {
        (str(call), int(turn)): str(text) for (call, turn), text in zip(keys, rows["reply_hypothesis"], strict=True)
    }


def listen(run: Run, recogniser: Recogniser) -> Run:
    """`run` with what `recogniser` hears of its recorded replies.

    Raises `BenchError` for a run that is not finished or has no recordings, or when the recogniser fails.
    """
    path = run.folder.root
    if run.manifest.state != "finished":
        raise BenchError(
            f"{path}: the run did not finish, so its replies cannot be scored", hint=f"bench report {path}"
        )
    if not recorded_calls(run):
        raise BenchError(
            f"{path}: no call of the run was recorded, so there is no reply to listen to",
            hint="give `record: {share: 5%}` in the scenario and run it again",
        )
    began_s = time.perf_counter()
    skipped: Counter[str] = Counter()
    found = list(_heard(run, recogniser, skipped))
    rates = sorted({rate for _, rate in found})
    columns: dict[str, dict[tuple[str, int], object]] = {name: {} for name in REPLY_COLUMNS}
    for each, _ in found:
        counts = {f"reply_{name}": value for name, value in asdict(each.score).items()}
        for name in REPLY_COLUMNS:
            columns[name][each.call, each.turn] = each.words if name == "reply_hypothesis" else counts[name]
    change_turns(run.folder, columns)
    floor = _floor(recogniser, rates[-1]) if rates and recogniser.knows("en") else None
    other = _against_others([each for each, _ in found])
    run.manifest.reply_words = ReplyWords(
        recogniser=recogniser.name,
        listened=len(found),
        skipped=dict(skipped),
        floor_errors=floor[0] if floor else None,
        floor_words=floor[1] if floor else None,
        other_errors=other[0] if other else None,
        other_words=other[1] if other else None,
        seconds=round(time.perf_counter() - began_s, 3),
    )
    write_manifest(run.folder, run.manifest)
    return read_run(path)


def with_reply_words(run: Run, recogniser: Recogniser | None) -> Run:
    """As `listen`, at the end of a run that asked for it; what goes wrong is noted, and costs no report."""
    if recogniser is None or run.manifest.state != "finished":
        return run
    if not recorded_calls(run):
        run.manifest.notes.append("nobody listened to the replies: no recording lies in the run folder")
        write_manifest(run.folder, run.manifest)
        return run
    print(LISTENING, file=sys.stderr)
    try:
        return listen(run, recogniser)
    except (BenchError, OSError) as error:
        run.manifest.notes.append(f"nobody listened to the replies: {error}")
        write_manifest(run.folder, run.manifest)
        return run


def _heard(run: Run, recogniser: Recogniser, skipped: Counter[str]) -> Iterator[tuple[_Heard, int]]:
    """Each whole reply of the recorded calls, and the rate of its audio; `skipped` counts those that are left out."""
    files = {each.session_id: each.path for each in recorded_calls(run)}
    rows = {
        (str(row["session_id"]), int(row["turn"])): row
        for row in run.turns[run.turns["session_id"].isin(list(files))].to_dict("records")
    }
    for timeline in iter_timelines(run.folder.root):
        call = timeline.labels.session_id
        if call not in files or timeline.connection.ready_ns is None:
            continue
        agent, rate_hz = _agent(files[call])
        for spoken in spoken_replies(timeline):
            row = rows.get((call, spoken.turn))
            if row is None or row["status"] not in ANSWERED:
                skipped["not answered"] += 1
            elif not isinstance(row["reply_text"], str) or not row["reply_text"].strip():
                skipped["without a transcript"] += 1
            elif not recogniser.knows(str(row["language"])):
                skipped["in a language that the recogniser does not know"] += 1
            else:
                samples = _sound(agent, rate_hz, timeline, spoken.spans)
                words = _words(recogniser, samples, rate_hz, str(row["language"]))
                score = score_reply(row["reply_text"], words, str(row["language"]))
                if score is None or score.wer is None:
                    skipped["without a word in its transcript"] += 1
                else:
                    yield _Heard(call, spoken.turn, row["reply_text"], words, str(row["language"]), score), rate_hz


def _words(recogniser: Recogniser, samples: Samples, rate_hz: int, language: str) -> str:
    try:
        return recogniser.hear(samples, rate_hz, language)
    except Exception as error:  # a user's function may raise anything
        raise BenchError(
            f"the recogniser {recogniser.name} failed: {type(error).__name__}: {error}",
            hint="bench report RUN --reply-words NAME listens again",
        ) from error


def _agent(path: Path) -> tuple[Samples, int]:
    """The agent's channel of a recording."""
    both, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    return np.ascontiguousarray(both[:, 1]), int(rate_hz)


def _sound(agent: Samples, rate_hz: int, timeline: Timeline, spans: Sequence[tuple[int, int]]) -> Samples:
    """The stretches of a reply with a little around them, one after the other."""
    begin_ns = timeline.connection.ready_ns or 0
    pieces = []
    for start_ns, end_ns in spans:
        first, last = ((at_ns - begin_ns) / NS_PER_S for at_ns in (start_ns, end_ns))
        pieces.append(agent[max(0, round((first - MARGIN_S) * rate_hz)) : round((last + MARGIN_S) * rate_hz)])
    return np.concatenate(pieces) if pieces else agent[:0]


def _floor(recogniser: Recogniser, rate_hz: int) -> tuple[int, int]:
    """Word errors of the recogniser on sentences of the embedded voice, and how many words those have."""
    from bench.server.engines.synthesiser import Synthesiser

    voice = Synthesiser()
    errors = words = 0
    for sentence in KNOWN_SENTENCES:
        samples = resample(voice.say(sentence, voice=KNOWN_VOICE, speed=1.0), voice.rate_hz, rate_hz)
        score = score_reply(sentence, _words(recogniser, samples, rate_hz, "en"), "en")
        if score is not None:
            errors += _errors(score)
            words += score.reference_words
    return errors, words


def _against_others(heard: Sequence[_Heard]) -> tuple[int, int] | None:
    """The errors of each reply against the transcript of the next one that is another; None without any."""
    errors = words = 0
    for place, each in enumerate(heard):
        after = [*heard[place + 1 :], *heard[:place]]
        other = next((one for one in after if one.written != each.written and one.language == each.language), None)
        score = score_reply(other.written, each.words, each.language) if other is not None else None
        if score is not None:
            errors += _errors(score)
            words += score.reference_words
    return (errors, words) if words else None


def _errors(score: WordScore) -> int:
    return score.substitutions + score.deletions + score.insertions

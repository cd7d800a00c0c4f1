"""The live test: a person talks to the target from the page, through the harness's own session.

In: a scenario and what the browser sends: begin, recordings, the names of fixtures, hang up. Out: the state `talk` of a
`Board`, and replies as WAV.
Trap: one call at a time, of which every turn is measured and priced as in a run; nothing of it is stored.
"""

from __future__ import annotations

import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent

from bench.audio.catalogue import Fixture, load_catalogue
from bench.audio.wav import wav_bytes
from bench.errors import BenchError
from bench.facts.timeline import TurnFacts
from bench.live.board import Board
from bench.live.spoken import MOST_S, RATE_HZ, Spoken, spoken
from bench.live.talk_call import Reply, TalkCall, TalkEvents
from bench.live.turn_card import turn_card
from bench.load.factory import CallFactory, RunIdentity
from bench.load.spec import Callee
from bench.measure import wer
from bench.measure.records import TurnRecord
from bench.pricing.book import PriceBook
from bench.report.phrases import capital, usd

MOST_BODY = int(MOST_S * RATE_HZ) * 2 + RATE_HZ
MOST_REPLIES = 20
"""Replies that can be heard again."""
FREE = frozenset({"idle", "ended"})


class Talk:
    """One page's live test."""

    def __init__(self, callee: Callee, board: Board) -> None:
        """Raises `BenchError` for a target whose secrets are not there."""
        scenario = callee.scenario
        self._callee, self._board = callee, board
        self._factory = CallFactory(scenario, callee.target, RunIdentity("live", "w0"))
        self._fixtures = self._spoken_in(scenario.fixture_ids)
        self._language = next((each.language for each in self._fixtures.values()), "en")
        self._call: TalkCall | None = None
        self._number = 0
        self._places: dict[int, int] = {}
        self._said: list[tuple[str, tuple[str, ...], str]] = []
        self._cards: list[dict[str, Any]] = []
        self._replies: OrderedDict[int, bytes] = OrderedDict()
        self._folder = tempfile.TemporaryDirectory(prefix="bench-live-")
        wer.prepare(self._language)
        self._show(status="idle", first=True)

    def _spoken_in(self, first: frozenset[str] | set[str] | tuple[str, ...]) -> dict[str, Fixture]:
        """Every fixture of the catalogue, those of the scenario first."""
        known = load_catalogue(self._callee.scenario.fixtures).fixtures
        return {name: known[name] for name in [*(each for each in known if each in first), *known]}

    # what the browser asks for

    @property
    def posts(self) -> dict[str, Any]:
        return {"/talk/begin": self.begin, "/talk/say": self.say, "/talk/play": self.play, "/talk/end": self.end}

    def begin(self, _environ: Mapping[str, Any]) -> tuple[int, str]:
        """Call the target."""
        if self._status not in FREE:
            return 409, "A call is open."
        self._number += 1
        self._said, self._places, first = [], {}, len(self._cards)
        events = TalkEvents(
            ready=lambda: self._show(status="ready", began_at=time.time()),
            speaking=lambda turn: self._show(status="speaking", speaking=self._said[turn.index][0]),
            replied=lambda turn, reply, rate_hz: self._replied(first + turn.index, turn, reply, rate_hz),
            heard=lambda: self._show(status="ready"),
            turn=lambda row: self._ended(first + row.turn, row),
        )
        self._call = TalkCall(self._factory, self._number, self._callee.books, events)
        self._show(status="connecting", failure=None, failed_at=None)
        gevent.spawn(self._run, self._call)
        return 202, "The target is called."

    def _run(self, call: TalkCall) -> None:
        try:
            row = call.run()
        except Exception as error:
            self._show(status="ended", failure=f"a mistake of our own: {type(error).__name__}: {error}")
            return
        finally:
            self._call = None
        said = row.error_message or row.error_kind if row.status == "failed" else None
        self._show(status="ended", failure=said, beside=usd(row.other_cost_usd) if row.other_cost_usd else None)

    def say(self, environ: Mapping[str, Any]) -> tuple[int, str]:
        """Say what the browser recorded."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MOST_BODY:
            return 400, f"That was longer than {MOST_S:.0f} s: say it in parts."
        body = environ["wsgi.input"].read(length)
        name = f"you-{len(self._cards) + len(self._said) + 1}-{time.monotonic_ns() % 10**6}"
        try:
            pool = gevent.get_hub().threadpool
            found: Spoken = pool.apply(spoken, (body, name, Path(self._folder.name), self._language))
        except BenchError as error:
            return 400, f"{capital(error.message)}: {error.hint}."
        return self._speak(found.fixture, "(your voice)", found.doubts, found.sharpness)

    def play(self, environ: Mapping[str, Any]) -> tuple[int, str]:
        """Say one of the catalogue's recordings."""
        name = environ["wsgi.input"].read(min(500, int(environ.get("CONTENT_LENGTH") or 0))).decode("utf-8", "replace")
        fixture = self._fixtures.get(name)
        if fixture is None:
            return 400, f"There is no recording {name!r}."
        return self._speak(fixture, fixture.text)

    def _speak(
        self, fixture: Fixture, words: str, doubts: tuple[str, ...] = (), sharpness: str = ""
    ) -> tuple[int, str]:
        call = self._call
        if call is None or self._status not in {"ready", "replying", "speaking"}:
            return 409, "No call is open: begin one first."
        self._said.append((words, doubts, sharpness))
        try:
            call.say(fixture)
        except BenchError as error:
            self._said.pop()
            return 400, error.message
        return 202, "It is said as soon as the line is free."

    def end(self, _environ: Mapping[str, Any]) -> tuple[int, str]:
        """Hang up."""
        if self._call is not None:
            self._call.hang_up()
        return 202, "The call is hung up."

    def reply(self, number: int) -> bytes | None:
        """The reply of turn `number` of this page as a WAV file."""
        return self._replies.get(number)

    def close(self) -> None:
        """Hang up, and remove what was recorded."""
        if self._call is not None:
            self._call.hang_up()
            gevent.sleep(0.2)
        with suppress(OSError):
            self._folder.cleanup()

    # what the call says

    def _replied(self, number: int, turn: TurnFacts, reply: Reply, rate_hz: int) -> None:
        if len(reply):
            self._replies[number] = wav_bytes(reply, rate_hz)
            while len(self._replies) > MOST_REPLIES:
                self._replies.popitem(last=False)
        self._show(status="replying", reply=number if len(reply) else None)

    def _ended(self, number: int, row: TurnRecord) -> None:
        words, doubts, sharpness = self._said[row.turn] if row.turn < len(self._said) else ("", (), "")
        card = {**turn_card(row, words, doubts, sharpness), "number": number, "call": self._number}
        self._cards = [*self._cards, card]
        self._show()

    @property
    def _status(self) -> str:
        return str(self._board["talk"]["status"])

    def _show(self, *, first: bool = False, **changes: Any) -> None:
        if first:
            before: dict[str, Any] = {
                "target": self._callee.target.url,
                "model": self._callee.target.model,
                "voice": self._callee.scenario.session.turn_detection.type,
                "rate_hz": RATE_HZ,
                "most_s": MOST_S,
                "fixtures": [{"id": each.id, "text": each.text} for each in self._fixtures.values()],
                "failure": None,
                "reply": None,
            }
        else:
            before = self._board["talk"]
        known = [card["cost_usd"] for card in self._cards if card["cost_usd"] is not None]
        unknown = len(self._cards) - len(known)
        spent = {
            "text": usd(sum(known)) if known else "-",
            "unknown": unknown,
            "book": self._book(),
        }
        kept = [{**card, "again": card["number"] in self._replies} for card in self._cards]
        self._board.show(talk={**before, "turns": kept, "spent": spent, **changes})

    def _book(self) -> str | None:
        found: PriceBook | None = self._callee.books.book_of(
            self._callee.scenario.pricing.model or self._callee.target.model
        )
        return None if found is None else f"{found.book} of {found.date}" + (" (example)" if found.label else "")

"""What the services took for a reply and what they are billed at, and how a client is told of it.

It goes into `metadata` of `response.done`, which every client of the protocol can carry: one text for each leg, JSON
under `leg.stt`, `leg.llm` and `leg.tts`; under `leg.own` what the cascade itself added. Trap: values of metadata are
texts of at most 512 characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.server.engines.cascade.caller import Work

PREFIX = "leg."
_MS = 1_000_000


@dataclass(slots=True)
class ReplyReport:
    """The times of one reply, monotonic ns; None for what did not happen."""

    started_ns: int
    """The reply was asked for."""
    committed_ns: int | None = None
    """The caller's turn was over; None where the reply answers no audio of its own."""
    stt: list[Work] = field(default_factory=list)
    """What was written down for it first, the newest last."""
    llm: Work | None = None
    tts: list[Work] = field(default_factory=list)
    sentence_ns: int | None = None
    """The first piece to be spoken was complete."""
    sound_ns: int | None = None
    """The first sound was handed on."""

    @property
    def stages_ms(self) -> dict[str, float | None]:
        """The stages from the end of the turn to the first sound, by name; their sum is that time."""
        stt, llm, tts = self._newest
        return {
            "stt": _between(stt.sent_ns, stt.ended_ns),
            "llm": _between(llm.sent_ns, llm.first_ns),
            "sentence": _between(llm.first_ns, self.sentence_ns),
            "tts": _between(tts.sent_ns, tts.first_ns),
            "own": self.own_ms,
        }

    @property
    def own_ms(self) -> float | None:
        """What the cascade added between the stages of a reply that was spoken; None where one of them is not known."""
        stt, llm, tts = self._newest
        gaps: list[float | None] = []
        ready_ns = self.started_ns
        if stt.ended_ns is not None:
            gaps.append(_between(self.committed_ns, stt.sent_ns))
            ready_ns = max(ready_ns, stt.ended_ns)
        gaps += [
            _between(ready_ns, llm.sent_ns),
            _between(self.sentence_ns, tts.sent_ns),
            _between(tts.first_ns, self.sound_ns),
        ]
        return None if None in gaps else sum(gap for gap in gaps if gap is not None)

    @property
    def _newest(self) -> tuple[Work, Work, Work]:
        """The requests that the first sound waited for; one without times where there was none."""
        none = Work("")
        return (self.stt or [none])[-1], self.llm or none, (self.tts or [none])[0]

    @property
    def _works(self) -> dict[str, list[Work]]:
        """Every request, by leg."""
        return {"stt": self.stt, "llm": [] if self.llm is None else [self.llm], "tts": self.tts}

    def metadata(self) -> dict[str, str]:
        """As the client gets it."""
        stages = self.stages_ms
        told: dict[str, dict[str, Any]] = {}
        if self.stt:
            told["stt"] = {"model": self.stt[-1].model, "ms": stages["stt"], **used(self.stt)}
        if self.llm is not None:
            told["llm"] = {"model": self.llm.model, "ms": stages["llm"], "sentence_ms": stages["sentence"]}
        if self.tts:
            told["tts"] = {"model": self.tts[0].model, "ms": stages["tts"], **used(self.tts)}
        for leg, works in self._works.items():
            if again := sum(each.repeated for each in works):
                told[leg]["repeated"] = again
        if stages["own"] is not None:
            told["own"] = {"ms": stages["own"]}
        return {f"{PREFIX}{leg}": orjson.dumps(_rounded(facts)).decode() for leg, facts in told.items()}

    def usage(self) -> dict[str, Any] | None:
        """The `usage` of the response: the tokens of the model, which are all text; None where it said none."""
        counts = self.llm.usage if self.llm is not None else {}
        if "in_tokens" not in counts or "out_tokens" not in counts:
            return None
        reasoning = counts.get("reasoning_tokens")
        into, out, cached = int(counts["in_tokens"]), int(counts["out_tokens"]), int(counts.get("cached_tokens", 0))
        return {
            "total_tokens": into + out,
            "input_tokens": into,
            "output_tokens": out,
            "input_token_details": {
                "text_tokens": into,
                "audio_tokens": 0,
                "image_tokens": 0,
                "cached_tokens": cached,
                "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": out, "audio_tokens": 0}
            | ({"reasoning_tokens": int(reasoning)} if reasoning else {}),
        }

    def record(self) -> dict[str, Any]:
        """The reply's line in the truth log."""
        legs = {
            leg: [
                {"model": each.model, "sent_ns": each.sent_ns, "first_ns": each.first_ns, "ended_ns": each.ended_ns}
                | {"usage": each.usage, "repeated": each.repeated}
                for each in several
            ]
            for leg, several in self._works.items()
        }
        times = {"committed_ns": self.committed_ns, "started_ns": self.started_ns}
        times |= {"sentence_ns": self.sentence_ns, "sound_ns": self.sound_ns}
        return {**times, "stages_ms": _rounded(self.stages_ms), "legs": legs}


def used(works: Sequence[Work]) -> dict[str, float]:
    """What several requests to one service are billed at, together; a count that one of them lacks is not known."""
    names = {name for each in works for name in each.usage}
    return {
        name: sum(each.usage[name] for each in works)
        for name in sorted(names)
        if all(name in each.usage for each in works)
    }


def transcription_usage(work: Work) -> dict[str, Any] | None:
    """The usage of the caller's transcription as its event has it: what the service said; None where it said none."""
    counts = work.usage
    if "seconds" in counts:
        return {"type": "duration", "seconds": counts["seconds"]}
    if "in_tokens" not in counts:
        return None
    details = {
        name.removeprefix("in_"): int(counts[name]) for name in ("in_text_tokens", "in_audio_tokens") if name in counts
    }
    into, out = int(counts["in_tokens"]), int(counts.get("out_text_tokens", 0))
    totals = {"total_tokens": into + out, "input_tokens": into, "output_tokens": out}
    return {"type": "tokens", **totals, "input_token_details": details}


def _between(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / _MS


def _rounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in facts.items() if value is not None}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in given.items()}

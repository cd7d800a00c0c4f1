"""Recognisers that listen to the replies of a run, behind one face.

In: a name from a scenario or a command line. Out: a `Recogniser`: samples in, words out. Trap: the one that is shipped
knows English alone and hears synthetic voices badly, so its own error is measured and stands beside every number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.audio.languages import language_of
from bench.scenario.model import Scenario
from bench.scenario.record_config import SHIPPED
from bench.session.tools import find_function

Samples = NDArray[np.int16]


class Recogniser(Protocol):
    """Something that hears speech."""

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    def knows(self, language: str) -> bool:
        """Whether it can hear this language (a tag of a recording, such as `en-GB`)."""
        ...

    def hear(self, samples: Samples, rate_hz: int, language: str) -> str:
        """The words of one reply: mono samples."""
        ...


def recogniser_of(name: str, base: Path) -> Recogniser:
    """`pocketsphinx`, or the function `module:function`. Raises `BenchError` for a function that is not there."""
    if name == SHIPPED:
        return PocketSphinx()
    return OwnFunction(name, find_function(name, base, "record.reply_words"))


def recogniser_asked_for(scenario: Scenario) -> Recogniser | None:
    """The recogniser of `record.reply_words`; None where nobody is to listen. Raises `BenchError`, before any call."""
    record = scenario.record
    return None if record is None or record.reply_words is None else recogniser_of(record.reply_words, scenario.base)


@dataclass(slots=True)
class PocketSphinx:
    """The recogniser of the embedded server, with the model that its package carries (US English)."""

    name: str = SHIPPED
    _decoder: Any = field(default=None, repr=False)

    def knows(self, language: str) -> bool:
        """English, and what says nothing of its language."""
        try:
            return language_of(language).code == "en"
        except ValueError:
            return False

    def hear(self, samples: Samples, rate_hz: int, language: str) -> str:
        """Decoded as one utterance."""
        from bench.server.engines.decoder import UtteranceDecoder, load_decoder

        if self._decoder is None:
            self._decoder = load_decoder()
        utterance = UtteranceDecoder(self._decoder, rate_hz)
        utterance.feed(samples.astype("<i2", copy=False).tobytes())
        return utterance.finish()


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A user's function of samples, rate and language; it takes any language."""

    name: str
    function: Callable[[Samples, int, str], str]

    def knows(self, language: str) -> bool:
        """The function decides: it may raise."""
        return True

    def hear(self, samples: Samples, rate_hz: int, language: str) -> str:
        """What the function returns, as text."""
        return str(self.function(samples, rate_hz, language))

"""What the owner of a site may set: its title, and the typical conversation that a price is told for.

In: a YAML file, or nothing. Out: a `SiteConfig`. Trap: the conversation is a definition, not a measurement; every page
that shows its price says what it holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from bench.config.block import Block, Text
from bench.config.problems import load_block

_HINT = "keys: title, about, url, conversation; see docs/site.md"
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]


class ConversationConfig(Block):
    """A call as it is priced: so many exchanges of the caller's words and the agent's."""

    exchanges: Annotated[int, Field(strict=True, ge=1, le=500)] = 8
    caller_s: Seconds = 4.0
    """What the caller says in each."""
    agent_s: Seconds = 6.0
    """What the agent replies in each."""
    instructions_tokens: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 100
    """Read with every response."""
    caller_tokens_per_s: Seconds = 10.0
    agent_tokens_per_s: Seconds = 20.0
    words_per_s: Seconds = 2.5
    tokens_per_word: Seconds = 1.33
    cache_from_tokens: Annotated[int, Field(strict=True, ge=0)] | None = None
    """From how many tokens on what the response before had read is billed as cached; null: never."""

    @property
    def sentence(self) -> str:
        """What it holds, for the reader."""
        cache = (
            "nothing is cached"
            if self.cache_from_tokens is None
            else f"what the response before read is cached from {self.cache_from_tokens:,} tokens on"
        )
        return (
            f"{self.exchanges} exchanges, in each of which the caller speaks {self.caller_s:g} s and the agent "
            f"{self.agent_s:g} s ({self.minutes:.1f} minutes); {self.caller_tokens_per_s:g} audio tokens a second of "
            f"the caller and {self.agent_tokens_per_s:g} of the agent, {self.instructions_tokens} tokens of "
            f"instructions; every response reads the whole call again, {cache}; the transcription of the caller is "
            "left out"
        )

    @property
    def minutes(self) -> float:
        """From dialling to the end."""
        return (0.5 + self.exchanges * (self.caller_s + 0.5 + self.agent_s)) / 60


class SiteConfig(Block):
    """The whole file."""

    title: Text = Field(default="Voice endpoints, measured every night", description="The name of the site.")
    about: str = Field(default="", description="One or two sentences under the title.")
    url: str = Field(default="", description="Where the site will be published, for the feed.")
    conversation: ConversationConfig = ConversationConfig()

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("allowed: an address that begins with https:// or http://")
        return url


def load_config(path: Path | None) -> SiteConfig:
    """The file, or the defaults. Raises `BenchError` with every line that is wrong."""
    return SiteConfig() if path is None else load_block(path, SiteConfig, needs="some of its keys", hint=_HINT)

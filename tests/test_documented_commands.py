"""Each `bench` command that README and docs show is one that the program takes: subcommands, options and scenarios."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bench.cli import app
from bench.scenario.listing import scenario_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:console|sh|bash)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/)?bench [a-z][^`\n]*)`")
SHIPPED = re.compile(r"(scenarios/)?(?!my|scenario\b|none)[a-z][a-z0-9-]*(\.yaml)?")
"""The name of a shipped scenario; those of a reader are called `my...`, `scenario.yaml` or `SCENARIO`."""
ACT_AT_ONCE = {"--install-completion", "--show-completion", "--version", "--help"}
CLI = get_command(app)


def shown(text: str) -> list[str]:
    """The lines of the blocks of a page."""
    return [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]


def commands(lines: list[str]) -> Iterator[list[str]]:
    """The words of each `bench` command in `lines`, without redirections and what follows a pipe."""
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            for token in [*lexer, ";"]:
                if set(token) <= set("&|;<>"):
                    yield from _bench(words)
                    words = []
                else:
                    words.append(token)
        except ValueError:
            continue  # prose, not a command


def _bench(words: list[str]) -> Iterator[list[str]]:
    names = [Path(word).name for word in words]
    if "bench" in names and all("=" in word for word in words[: names.index("bench")]):
        rest = words[names.index("bench") + 1 :]
        if rest and not set(rest) & ACT_AT_ONCE:
            yield rest


TEXTS = {page.name: page.read_text() for page in PAGES}
WHOLE = sorted({(name, shlex.join(words)) for name, text in TEXTS.items() for words in commands(shown(text))})
"""To be typed as they are."""
NAMED = sorted({(name, shlex.join(words)) for name, text in TEXTS.items() for words in commands(INLINE.findall(text))})
"""Inside of a sentence, often without the arguments."""
LEFT_OUT = {"MissingParameter", "NoArgsIsHelpError"}


def parse(words: list[str]) -> dict[str, Any]:
    """The parameters of the subcommand; raises the parser's error for what the program does not take."""
    command, context = CLI, CLI.make_context("bench", list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, words = command.resolve_command(context, rest)
        context = command.make_context(name, words, parent=context)
    return dict(context.params)


def refusal(words: list[str]) -> str | None:
    """The name of the parser's error; None where the program takes the words."""
    try:
        parse(words)
    except Exception as error:
        return type(error).__name__
    return None


def test_pages_show_commands() -> None:
    assert len(WHOLE) > 40
    assert len(NAMED) > 60


def test_a_wrong_option_is_not_taken() -> None:
    for wrong in ("run quickstart --wokers 2", "fixtures lst", "report"):
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            parse(wrong.split())


@pytest.mark.parametrize(("page", "line"), WHOLE, ids=[f"{page}: {line}" for page, line in WHOLE])
def test_a_command_to_be_typed_is_taken(page: str, line: str) -> None:
    scenario = str(parse(shlex.split(line)).get("scenario"))
    if SHIPPED.fullmatch(scenario):
        assert (ROOT / "scenarios" / f"{Path(scenario).stem}.yaml").is_file()


@pytest.mark.parametrize(("page", "line"), NAMED, ids=[f"{page}: {line}" for page, line in NAMED])
def test_a_command_that_a_sentence_names_is_taken(page: str, line: str) -> None:
    assert refusal(["1" if word == "N" else word for word in shlex.split(line)]) in {None, *LEFT_OUT}


def test_every_shipped_scenario_is_in_the_table() -> None:
    listed = set(re.findall(r"`([a-z0-9-]+)`", "\n".join(re.findall(r"^\| `.*", TEXTS["scenarios.md"], re.MULTILINE))))
    assert set(scenario_names()) <= listed

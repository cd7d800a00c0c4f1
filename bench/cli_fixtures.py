"""`bench fixtures`: the verbs of the recordings that callers speak.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ExitCode

fixtures_app = typer.Typer(help="List, check, show and add the recordings that callers speak.", no_args_is_help=True)

CatalogueOption = Annotated[
    Path | None, typer.Option("--catalogue", metavar="FILE", help="A catalogue; default: the project's own.")
]


def _catalogue(path: Path | None) -> Path:
    from bench.audio.catalogue import shipped_catalogue

    return path or shipped_catalogue()


@fixtures_app.command("list")
def fixtures_list(catalogue: CatalogueOption = None) -> int:
    """List the recordings of a catalogue."""
    from rich.console import Console
    from rich.table import Table

    from bench.audio.catalogue import load_catalogue, shipped_sounds
    from bench.audio.fixtures_cli import list_fixtures

    rows = list_fixtures(load_catalogue(_catalogue(catalogue)))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "accent", "voice", "caller"):
        table.add_column(heading, no_wrap=True)
    table.add_column("speech s", justify="right", no_wrap=True)
    table.add_column("text")
    for row in rows:
        table.add_row(row["id"], row["accent"], row["voice"], row["caller"], row["speech_s"], row["text"])
    Console().print(table)
    print(f"{len(rows)} fixtures in {_catalogue(catalogue)}")
    if catalogue is None:
        print(f"sounds for a backchannel step: {', '.join(load_catalogue(shipped_sounds()).fixtures)}")
    return int(ExitCode.PASS)


@fixtures_app.command("check")
def fixtures_check(catalogue: CatalogueOption = None) -> int:
    """Verify hashes, formats and annotations with two independent speech detectors; say how sharp each end is."""
    from bench.audio.fixtures_cli import check_catalogue

    results = check_catalogue(_catalogue(catalogue))
    for result in results:
        if result.end:
            print(f"{result.fixture_id}: {result.end}")
        for problem in result.problems:
            print(f"{result.fixture_id}: {problem}")
    bad = sum(not result.ok for result in results)
    print(f"{len(results)} fixtures checked, {bad} with problems")
    return int(ExitCode.THRESHOLD_FAILED if bad else ExitCode.PASS)


@fixtures_app.command("add")
def fixtures_add(
    audio: Annotated[Path, typer.Argument(metavar="FILE", help="A recording: WAV, FLAC, MP3, Ogg and others.")],
    text: Annotated[str, typer.Option("--text", help="What is said, word for word.")],
    catalogue: CatalogueOption = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its id; default: from the file's name.")] = None,
    accent: Annotated[str, typer.Option(help="Accent of the speaker.")] = "unknown",
    voice: Annotated[str, typer.Option(help="Name of the speaker or voice.")] = "unknown",
    language: Annotated[str, typer.Option(help="Language, such as en.")] = "en",
    source: Annotated[str, typer.Option(help="Where the recording comes from.")] = "unknown",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "unknown",
    caller: Annotated[str, typer.Option(help="Who speaks: human or synthetic.")] = "unknown",
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="left|right|N", help="Which channel the caller is on.")
    ] = None,
    speech_start: Annotated[
        str | None, typer.Option("--speech-start", metavar="TIME", help="Where speech begins, by hand: 150ms.")
    ] = None,
    speech_end: Annotated[
        str | None, typer.Option("--speech-end", metavar="TIME", help="Where speech ends, by hand: 2521ms.")
    ] = None,
) -> int:
    """Resample, annotate and catalogue a recording; refused when two detectors cannot agree where speech ends."""
    from bench.audio.fixtures_cli import add_recording, end_sentence

    path = _catalogue(catalogue)
    result = add_recording(
        audio,
        text,
        catalogue=path,
        id=id_,
        accent=accent,
        voice=voice,
        language=language,
        source=source,
        licence=licence,
        caller=caller,
        channel=channel,
        speech_start=speech_start,
        speech_end=speech_end,
    )
    added, by = result.fixture, "" if result.fixture.annotated == "unknown" else f" ({result.fixture.annotated})"
    print(
        f"added {added.id} to {path}: {added.duration_ms:.0f} ms, "
        f"speech {added.speech_start_ms:.1f}-{added.speech_end_ms:.1f} ms{by}"
    )
    print(end_sentence(added, result.judgement))
    for warning in result.warnings:
        print(f"warning: {added.id}: {warning}", file=sys.stderr)
    if result.warnings:
        print(
            f"look at it: bench fixtures show {added.id} --catalogue {path}; if the end is wrong, correct "
            "speech_end_ms there and write `annotated: by hand` (or add it with --speech-end)",
            file=sys.stderr,
        )
    return int(ExitCode.PASS)


@fixtures_app.command("show")
def fixtures_show(
    fixture_id: Annotated[str, typer.Argument(metavar="ID", help="An id of the catalogue.")],
    catalogue: CatalogueOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The PNG; default: ID.png here.")] = None,
) -> int:
    """Draw a recording: waveform, spectrogram, and where each detector hears speech begin and end."""
    from bench.audio.fixtures_cli import show_fixture

    path = out or Path(f"{fixture_id}.png")
    for line in show_fixture(_catalogue(catalogue), fixture_id, path):
        print(line)
    print(f"wrote {path}")
    return int(ExitCode.PASS)

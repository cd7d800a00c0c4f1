"""`bench init`: a commented scenario to start from, with the schema beside it for the editor.

In: where to write. Out: the file, and `schema.json` in its folder.
Existing files are never overwritten, except a `schema.json` written by `bench init`.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

from bench.errors import BenchError
from bench.scenario.schema import EDITOR_LINE, SCHEMA_FILE, json_schema, schema_text


def init_scenario(dest: Path) -> Path:
    """Write a working scenario at `dest` (a file, or a folder to put `scenario.yaml` into), and the schema beside it.

    Returns the scenario's path. BenchError when the file exists or cannot be written.
    """
    path = dest / "scenario.yaml" if dest.is_dir() or not dest.suffix else dest
    if path.suffix not in {".yaml", ".yml"}:
        raise BenchError(f"{path}: not the name of a scenario", hint="name a file that ends in .yaml, or a folder")
    template = (resources.files("bench.scenario") / "template.yaml").read_text(encoding="utf-8")
    text = f"{EDITOR_LINE}\n{template.replace('NAME', _name_from(path), 1)}"
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if not path.exists():  # a folder on the way is a file
            raise BenchError(f"{path}: cannot be written: {error.strerror}", hint="name another folder") from error
        raise BenchError(f"{path} exists", hint="name another file, or remove it first") from None
    except OSError as error:
        raise BenchError(
            f"{path}: cannot be written: {error.strerror}", hint="name a file in another folder"
        ) from error
    _write_schema(path.parent / SCHEMA_FILE)
    return path


def _name_from(path: Path) -> str:
    """The file's name as the name of a scenario: `My calls.yaml` -> `My-calls`."""
    stem = path.stem if path.stem != "scenario" else path.resolve().parent.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "my-scenario"


def _write_schema(path: Path) -> None:
    """Write or update the schema, unless a file of that name has other contents."""
    try:
        if path.exists() and json.loads(path.read_text(encoding="utf-8")).get("title") != json_schema()["title"]:
            return
        path.write_text(schema_text(), encoding="utf-8")
    except (OSError, ValueError, AttributeError) as error:
        raise BenchError(
            f"{path}: cannot be written or is not a JSON Schema ({error})", hint="remove it, or choose another folder"
        ) from error

"""Output on terminals, pipes and logs of every encoding: nothing that is printed can end a run."""

from __future__ import annotations

import codecs
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.terminal import HANDLER, make_streams_safe, nearest, readable
from tests.server.support import server_process
from tests.support.processes import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [
    {**ASCII, "PYTHONIOENCODING": "ascii"},
    ASCII,
    {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
]
SCENARIO = """\
name: quiet
description: Grüße — „你好“ 🙂
conversation: [{say: yes-slt}]
tags: {wer: Jürgen, emoji: 🙂}
health: {client_late: 10s}
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server_process(engine="simulated") as (_, address):
        yield f"ws{address[4:]}/v1/realtime"


@given(st.text())
def test_any_text_can_be_written(text: str) -> None:
    codecs.register_error(HANDLER, nearest)
    for encoding in ("ascii", "latin-1", "utf-8", "cp437"):
        assert text.encode(encoding, HANDLER).decode(encoding) or not text or set(text) - set(map(chr, range(128)))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("p95 ≤ 500 ms … “Grüße” — 10 × 2 µs", 'p95 <= 500 ms ... "Grusse" - 10 x 2 us'),
        ("━━ café 你好", "-- cafe ??"),
        ("\udce4", "?"),
        ("plain", "plain"),
    ],
)
def test_the_nearest_character_is_written(text: str, written: str) -> None:
    make_streams_safe()
    assert text.encode("ascii", HANDLER).decode() == written


def test_words_of_another_encoding_are_read_as_utf_8() -> None:
    assert readable(["tags.a=J\udcc3\udcbcrgen", "plain", "\udcff"]) == ["tags.a=Jürgen", "plain", "\ufffd"]


def bench(*words: str | Path, cwd: Path, env: dict[str, str], **options: object) -> subprocess.CompletedProcess[bytes]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    clean |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", **env}
    command = [sys.executable, "-m", "bench", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=clean, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "env", [ENCODINGS[1], pytest.param(ENCODINGS[2], marks=pytest.mark.slow)], ids=["C", "latin-1"]
)
def test_a_run_and_its_report_end_well(env: dict[str, str], url: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO, encoding="utf-8")
    words = ("run", "s.yaml", "--url", url, "--out", "läufe", "--set", "tags.ort=Köln", "--set", "tags.c=12345678")
    terminal = env == ASCII  # the live view as well
    if terminal:
        master, slave = pty.openpty()
        done = bench(*words, cwd=tmp_path, env=env, stdout=slave, stderr=subprocess.PIPE)
        os.close(slave)
        os.close(master)
    else:
        done = bench(*words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert b"1 of 1 turn" in done.stdout
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode("utf-8", "replace")
    again = bench("report", "läufe", cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert again.returncode == 0, again.stderr
    manifest = (tmp_path / "läufe" / "run.json").read_text("utf-8")
    assert "Grüße" in manifest or "Gr\\u00fc" in manifest
    assert "K\\u00f6ln" in manifest or "Köln" in manifest


def test_a_reader_that_goes_away_does_not_end_a_run(url: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO, encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    done = bench("run", "s.yaml", "--url", url, "--out", "out", cwd=tmp_path, env={}, stdout=writing, stderr=-1)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out" / "report.html").is_file()
    reading, writing = os.pipe()
    os.close(reading)
    listed = bench("scenarios", cwd=tmp_path, env={}, stdout=writing, stderr=-1)
    os.close(writing)
    assert b"Traceback" not in listed.stderr


@pytest.mark.parametrize(
    "words",
    [("--help",), ("run", "--help"), ("scenarios",), ("fixtures", "list"), ("run", "quickstart", "--dry-run")],
    ids=" ".join,
)
def test_every_other_output_is_written_too(words: tuple[str, ...], tmp_path: Path) -> None:
    done = bench(*words, cwd=tmp_path, env=ENCODINGS[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.slow
def test_a_mistake_is_told_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("näme: x\nconversation: [say: grüße]\n", encoding="utf-8")
    done = bench("validate", "s.yaml", cwd=tmp_path, env=ENCODINGS[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert b"grusse" in done.stderr

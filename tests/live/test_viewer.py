"""The last numbers of a page are those of the whole run, however late the page comes to count them."""

from __future__ import annotations

import socket
from pathlib import Path

import orjson

from bench.live.address import LiveAddress, listen
from bench.live.viewer import Viewer
from bench.store.manifest import read_manifest
from tests.report import build


def test_rows_of_a_run_whose_spool_is_gone_are_those_of_its_tables(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=4)
    run = build.finished(tmp_path, turns, sessions)
    assert not run.folder.spool.exists()
    ours, theirs = socket.socketpair()
    with ours, theirs, listen(LiveAddress(port=0)) as listener:
        hello = {"token": "t", "local": True, "root": str(tmp_path), "about": {}, "talk": None, "embedded_url": None}
        ours.sendall(orjson.dumps(hello) + b"\n")
        viewer = Viewer(theirs, listener)
        shown = viewer._counted(read_manifest(run.folder), None, True)
    assert (shown["turns"]["ended"], shown["calls"]["ended"]) == (len(turns), len(sessions))

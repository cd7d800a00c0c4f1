"""The package as others install it: built from this checkout, put into an empty environment, used in an empty folder.

The network is not used after the build: dependencies are those of the environment that runs the tests.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from bench import __version__
from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.shipped import INSIDE
from tests.support.processes import ROOT

RUN = ("--set", "conversation=[{say: yes-slt}]", "--set", "load={callers: 1}", "--set", "health.client_late=10s")


def call(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A command with an environment of its own, in which no checkout can be found."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd), "BENCH_HOME": str(cwd / "home"), **env}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean, capture_output=True, text=True, timeout=120, check=False
    )


def passed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def builder(folder: Path) -> str:
    """A Python that has the build backend: this one, or where it was not installed one that gets it."""
    if importlib.util.find_spec("hatchling") and importlib.util.find_spec("build"):
        return sys.executable
    venv.create(folder / "builder", with_pip=True)
    python = str(folder / "builder" / "bin" / "python")
    constraints = ROOT / "constraints.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", constraints, "build", "hatchling"], check=True)
    return python


@pytest.fixture(scope="module")
def archives(folder: Path, builder: str) -> tuple[Path, Path]:
    """The wheel and the source archive of this checkout; `build` makes the wheel out of the archive."""
    passed(call(builder, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder))
    (wheel,) = (folder / "dist").glob("*.whl")
    (source,) = (folder / "dist").glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def bench(folder: Path, archives: tuple[Path, Path]) -> Path:
    """The installed command."""
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    purelib = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (purelib / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    words = ("--no-deps", "--no-index", "--disable-pip-version-check", archives[0])
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "-q")
    passed(call(*pip, *words, cwd=folder))
    return environment / "bin" / "bench"


def test_both_archives_hold_what_a_checkout_holds(folder: Path, builder: str, archives: tuple[Path, Path]) -> None:
    wheel, source = archives
    beside = {
        f"bench/{INSIDE}/{path.relative_to(ROOT)}"
        for top in ("fixtures/audio", "scenarios")
        for path in (ROOT / top).rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as package:
        names = set(package.namelist())
    assert len(beside) > 70
    assert beside <= names
    assert {"bench/py.typed", "bench/scenario/template.yaml", "bench/pricing/books/openai-2026-11.yaml"} <= names
    assert not [name for name in names if name.startswith(("tests", "fixtures", "scenarios"))]
    with tarfile.open(source) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "fixtures/audio/catalogue.yaml",
        "tests/test_package.py",
    } <= packed
    passed(call(builder, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "direct", ROOT, cwd=folder))
    with zipfile.ZipFile(next((folder / "direct").glob("*.whl"))) as direct:
        assert set(direct.namelist()) == names


@pytest.mark.slow
def test_it_works_in_an_empty_folder(bench: Path, tmp_path: Path) -> None:
    assert passed(call(bench, "--version", cwd=tmp_path)).strip() == f"realtime-voice-bench {__version__}"
    assert "quickstart" in passed(call(bench, "scenarios", cwd=tmp_path))
    shipped = len(load_catalogue(shipped_catalogue()).fixtures)
    assert f"{shipped} fixtures" in passed(call(bench, "fixtures", "list", cwd=tmp_path))
    passed(call(bench, "init", "my.yaml", cwd=tmp_path))
    # As in a company's network, where what is not on this machine is reached through a proxy; this one is dead.
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    said = passed(call(bench, "run", "my.yaml", "--out", "out", *RUN, cwd=tmp_path, **proxies))
    assert "1 of 1 turn answered" in said
    assert (tmp_path / "out" / "report.html").is_file()
    here = (str(tmp_path), str(bench.parents[1]))
    for path in (tmp_path / "out").iterdir():
        if path.is_file() and path.suffix != ".parquet":
            text = path.read_text("utf-8")
            assert not [folder for folder in here if folder in text], path


@pytest.mark.slow
def test_a_shipped_scenario_runs_by_name_from_the_working_folder(bench: Path, tmp_path: Path) -> None:
    plan = yaml.safe_load(passed(call(bench, "run", "quickstart", "--dry-run", cwd=tmp_path)))
    assert (plan["name"], plan["fixtures"]) == ("quickstart", None)
    assert call(bench, "validate", "telephone-g711", cwd=tmp_path).returncode == 0
    (tmp_path / "quickstart").write_text("name: mine\nconversation: [{say: yes-slt}]\n")
    own = yaml.safe_load(passed(call(bench, "run", "quickstart", "--dry-run", cwd=tmp_path)))
    assert own["name"] == "mine"
    words = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "bench run telephone", "COMP_CWORD": "2"}
    completed = call(bench, cwd=tmp_path, **words)
    assert completed.stdout.split() == ["telephone-g711"]
    schema = json.loads(passed(call(bench, "schema", cwd=tmp_path)))
    assert schema["properties"]["load"]

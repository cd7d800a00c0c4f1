"""The files of `deploy/` and the commands of `docs/distributed.md`: they name only what exists, and hold no key.

No container is started here. What a container would start is parsed by the real command line, what the image copies is
copied and run, and what must be the same in two places is compared.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from bench.cli import app
from bench.config.secrets import looks_like_key, names_secret
from bench.scenario.read import load_scenario
from tests.support.processes import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
PAGE = ROOT / "docs" / "distributed.md"
EXPORT_PAGE = ROOT / "docs" / "export.md"
JOBS = ("bench-master", "bench-worker")
TOKEN_VARIABLE = "BENCH_WORKER_TOKEN"


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The verb and the options of `bench WORDS`, as the real command line reads them; raises for what it refuses."""
    group = typer.main.get_command(app)
    verb, *rest = words
    command = group.commands[verb]  # type: ignore[attr-defined]
    return verb, command.make_context(verb, list(rest)).params


def interpolated(value: Any) -> Any:
    """What compose makes of `${NAME:-default}` when nothing is set."""
    if isinstance(value, str):
        return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    return value


def compose() -> dict[str, Any]:
    return interpolated(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))["services"]


def kubernetes(kind: str, name: str) -> dict[str, Any]:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    (found,) = [one for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pod(job: str) -> dict[str, Any]:
    return kubernetes("Job", job)["spec"]["template"]["spec"]


def container(job: str) -> dict[str, Any]:
    (only,) = pod(job)["containers"]
    return only


def dockerfile() -> list[list[str]]:
    """Instructions of the image, split into words, continued lines joined."""
    text = "\n".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    return [line.split() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def copied() -> list[str]:
    return [word for words in dockerfile() if words[0] == "COPY" for word in words[1:-1]]


def commands_of_page() -> Iterator[list[str]]:
    for block in re.findall(r"```\n(.*?)```", PAGE.read_text(), re.S):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["bench"]:
                yield words[1:]


def test_the_parser_of_these_tests_refuses_what_does_not_exist() -> None:
    assert parsed(["worker", "--master-host", "h"])[1]["master_port"] == 5557
    with pytest.raises(Exception, match="--no-such"):
        parsed(["worker", "--master-host", "h", "--no-such"])
    with pytest.raises(Exception, match="master_host"):
        parsed(["worker"])
    with pytest.raises(KeyError):
        parsed(["no-such-verb"])


def test_compose_starts_a_master_and_the_workers_it_waits_for() -> None:
    services = compose()
    verb, master = parsed(services["master"]["command"])
    assert (verb, master["master"]) == ("run", True)
    worker_verb, worker = parsed(services["worker"]["command"])
    assert worker_verb == "worker"
    assert master["expect_workers"] == int(services["worker"]["deploy"]["replicas"])
    assert worker["master_host"] in services
    assert master["bind"] == f"*:{worker['master_port']}"
    raw = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert raw["master"]["command"][4] == raw["worker"]["deploy"]["replicas"], "one variable sets both"


def test_compose_demo_calls_the_server_that_it_starts() -> None:
    services = compose()
    verb, server = parsed(services["server"]["command"])
    assert (verb, server["host"]) == ("serve", "0.0.0.0")
    assert services["server"]["profiles"] == ["demo"]
    mounts = [entry.split(":") for entry in services["master"]["volumes"]]
    (source,) = [Path(entry[0]) for entry in mounts if entry[1] == services["master"]["command"][1]]
    scenario = load_scenario(DEPLOY / source)
    assert scenario.target is not None
    called = urlsplit(scenario.target.url)
    assert (called.hostname, called.port) == ("server", server["port"])
    assert scenario.load.callers >= int(services["worker"]["deploy"]["replicas"]), "each worker has a caller"


def test_kubernetes_starts_a_master_and_the_workers_it_waits_for() -> None:
    verb, master = parsed(container("bench-master")["args"])
    assert (verb, master["master"]) == ("run", True)
    assert master["out"] is None, "runs are named by time: workers append to a folder of the same name"
    worker_verb, worker = parsed(container("bench-worker")["args"])
    assert worker_verb == "worker"
    spec = kubernetes("Job", "bench-worker")["spec"]
    assert master["expect_workers"] == spec["completions"] == spec["parallelism"]
    service = kubernetes("Service", "bench-master")
    assert worker["master_host"] == service["metadata"]["name"]
    (port,) = service["spec"]["ports"]
    assert master["bind"] == f"*:{port['targetPort']}"
    assert worker["master_port"] == port["port"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["clusterIP"] == "None"
    labels = kubernetes("Job", "bench-master")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert not service["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()


def test_kubernetes_lets_only_workers_reach_the_master() -> None:
    policy = kubernetes("NetworkPolicy", "bench-master")["spec"]
    labels = {job: kubernetes("Job", job)["spec"]["template"]["metadata"]["labels"] for job in JOBS}
    assert policy["podSelector"]["matchLabels"].items() <= labels["bench-master"].items()
    (rule,) = policy["ingress"]
    (source,) = rule["from"]
    assert source["podSelector"]["matchLabels"].items() <= labels["bench-worker"].items()
    assert [port["port"] for port in rule["ports"]] == [5557]


@pytest.mark.parametrize("job", JOBS)
def test_kubernetes_jobs_run_once_with_a_core_of_their_own(job: str) -> None:
    assert kubernetes("Job", job)["spec"]["backoffLimit"] == 0
    assert pod(job)["restartPolicy"] == "Never"
    resources = container(job)["resources"]
    assert int(resources["requests"]["cpu"]) >= 1
    assert "cpu" not in resources["limits"], "a CPU limit halts the process"
    mounted = {mount["name"] for mount in container(job)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod(job)["volumes"]}
    paths = {mount["mountPath"] for mount in container(job)["volumeMounts"]}
    assert container(job)["workingDir"] in paths, "what is written must be on a volume"


def test_kubernetes_scenario_is_a_scenario_that_other_machines_can_play(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    data = kubernetes("ConfigMap", "bench-scenario")["data"]
    path.write_text(data["scenario.yaml"])
    scenario = load_scenario(path)
    assert scenario.target is not None, "the embedded server is not there for other machines"
    assert urlsplit(scenario.target.url).hostname not in {"127.0.0.1", "localhost"}
    wanted = scenario.target.api_key
    assert wanted is not None
    given = {f"env:{entry['name']}" for entry in container("bench-worker")["env"]}
    assert given == {str(wanted), f"env:{TOKEN_VARIABLE}"}
    where = {mount["name"]: mount["mountPath"] for mount in container("bench-master")["volumeMounts"]}
    (file,) = data
    assert container("bench-master")["args"][1] == f"{where['scenario']}/{file}"


def test_results_can_be_copied_out() -> None:
    helper = yaml.safe_load((DEPLOY / "kubernetes-results.yaml").read_text())
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in helper["spec"]["volumes"]]
    assert claims == [kubernetes("PersistentVolumeClaim", "bench-results")["metadata"]["name"]]
    assert helper["spec"]["containers"][0]["image"] == container("bench-master")["image"]
    assert container("bench-master")["image"] == container("bench-worker")["image"], "both run one version"


def test_keys_are_references_and_only_workers_get_them() -> None:
    for entry in (*container("bench-worker")["env"], *container("bench-master")["env"]):
        assert "value" not in entry
        assert set(entry["valueFrom"]) == {"secretKeyRef"}
    assert [entry["name"] for entry in container("bench-master")["env"]] == [TOKEN_VARIABLE]
    services = compose()
    assert services["master"]["environment"] == [TOKEN_VARIABLE]
    assert TOKEN_VARIABLE in services["worker"]["environment"]
    assert all("=" not in name for name in services["worker"]["environment"]), "names without values"
    assert any(names_secret(name) for name in services["worker"]["environment"])


@pytest.mark.parametrize("path", [*FILES, PAGE], ids=lambda path: path.name)
def test_no_file_holds_a_key(path: Path) -> None:
    assert not looks_like_key(path.read_text())


def test_the_image_starts_bench_as_an_ordinary_user() -> None:
    image = {words[0]: words[1:] for words in dockerfile()}
    assert yaml.safe_load(" ".join(image["ENTRYPOINT"])) == ["tini", "--", "bench"]
    (user,) = image["USER"]
    assert int(user) == pod("bench-master")["securityContext"]["runAsUser"] == compose_user()
    assert "ENV" in image
    assert not [word for words in dockerfile() if words[0] in {"ENV", "ARG"} for word in words if "KEY" in word]


def compose_user() -> int:
    (user,) = {int(service["user"]) for service in compose().values()}
    return user


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    ignored = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in {"#", ""}
    ]
    assert ignored[0] == "*"
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for name in copied():
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name.removeprefix("./"), pattern) for pattern in kept), name


@pytest.mark.slow
def test_what_the_image_copies_is_enough_to_run(tmp_path: Path) -> None:
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "scenario.yaml", tmp_path / "deploy")
    for scenario in ("scenarios/quickstart.yaml", "deploy/scenario.yaml"):
        done = subprocess.run(
            [sys.executable, "-m", "bench", "validate", scenario],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "ok" in done.stdout


def test_commands_of_the_page_exist() -> None:
    verbs = [parsed(words)[0] for words in commands_of_page()]
    assert {"run", "worker", "report"} <= set(verbs)
    assert "--local-index" not in PAGE.read_text(), "hidden options are not for users"


def test_the_page_agrees_with_the_code() -> None:
    from bench.workers import messages

    process = (ROOT / "bench" / "workers" / "worker_process.py").read_text()
    link = (ROOT / "bench" / "workers" / "link.py").read_text()
    silence = re.search(r"MASTER_SILENCE_S = (\d+)", process)
    beats = re.search(r"^SILENCE_S = (\d+)", link, re.MULTILINE)
    assert silence is not None
    assert beats is not None
    page = PAGE.read_text()
    assert f"**{silence[1]} s** without a heartbeat" in page
    assert f"no sign of life for {beats[1]} s" in page
    assert f"at most {messages.MOST_ROWS:,}" in page
    for name in re.findall(r"`(deploy/[\w.-]+)`", page):
        assert (ROOT / name).is_file(), name
    assert {f"deploy/{path.name}" for path in FILES if not path.name.endswith("ignore")} <= set(
        re.findall(r"deploy/[\w.-]+\w", page + EXPORT_PAGE.read_text())
    )

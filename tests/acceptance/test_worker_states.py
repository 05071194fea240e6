"""Scheduled checks read only files that are new or changed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from contracts_svc import app, app_work, settings
from contracts_svc.flows.asking import ask
from contracts_svc.schedules_runs import RunState
from tests.fixtures_store import BACKENDS, read_contract
from tests.support import wait_for

CLOCK = app.SystemClock()


def contract(folder: Path) -> bytes:
    return (
        "apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: c\nname: Things\n"
        f"servers: [{{server: s, type: local, path: {folder}/*.parquet, format: parquet}}]\n"
        "schema:\n"
        "  - name: t\n"
        "    quality: [{type: text, schedule: '0 0 30 2 *'}]\n"
        "    properties: [{name: a, logicalType: string, logicalTypeOptions: {pattern: '^[a-z]+$'}}]\n"
    ).encode()


def write(folder: Path, name: str, *values: str) -> None:
    pq.write_table(pa.table({"a": values}), folder / f"{name}.parquet")
    # What was changed just now may change again within the same tick.
    settled = (CLOCK.now() - timedelta(minutes=1)).timestamp()
    os.utime(folder / f"{name}.parquet", (settled, settled))


@pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
def test_a_second_run_reads_only_what_is_new(
    service_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_DATABASE_URL", service_url)
    folder = tmp_path / "data"
    folder.mkdir()
    text = contract(folder)
    known = read_contract(text, "c.yaml")
    store = app.store(settings.load())
    store.put_contract(known, text, CLOCK.now())
    for name in ("one", "two"):
        write(folder, name, "x", "y")
    process = app_work.scheduled(settings.load(), CollectorRegistry(), store)
    process.start()

    def checked() -> tuple[int, int, int]:
        (asked,) = ask(store, known, ["t"], now=CLOCK.now())
        wait_for(lambda: store.scheduled_run(asked.id).state is RunState.DONE)  # type: ignore[union-attr]
        run = store.runs("c", "t", limit=1)[0]
        bad = sum(r.failing or 0 for r in run.results)
        return run.files, run.files_read, bad

    try:
        assert checked() == (2, 2, 0)
        assert checked() == (2, 0, 0)
        write(folder, "three", "x", "z")
        assert checked() == (3, 1, 0)
        write(folder, "one", "8", "y", "z")
        assert checked() == (3, 1, 1)
        write(folder, "one", "x", "y", "z")
        (folder / "three.parquet").unlink()
        assert checked() == (2, 1, 0)
        assert checked() == (2, 0, 0)
    finally:
        process.stop()
        store.close()

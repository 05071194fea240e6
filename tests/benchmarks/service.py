"""What a running service stands: registrations, lineage events, and readers of a long list, over real HTTP.

``python -m tests.benchmarks service [registrations|events|readers] [--seconds N] [--rate N] [--sqlite]``. Each is a
run of its own, with PostgreSQL, ``contracts serve`` and the load on the same machine.

Requests leave at their times whether or not earlier ones were answered, and take from when they were to leave: a
service that stalls is not asked less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.schema import upgrade
from contracts_svc.adapters.store.store import DatabaseStore
from tests.benchmarks.service_data import contract, event, registered
from tests.fixtures_store import Postgres, read_contract

SERVE = [sys.executable, "-c", "from contracts_svc.cli.main import run; run()"]
CONNECTIONS = 64
CONTRACTS = 10_000
READERS = 50
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Load:
    """What came of a run."""

    taken: list[float] = field(default_factory=list)
    """Seconds that each answered request took."""
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.taken)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Line:
    """One connection, kept open: a request at a time. As little work as can be, since it shares the machine."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port = host, port
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, path: str, body: bytes, kind: str) -> int:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if length is None:
            raise ValueError(f"an answer without a length: {answer[:200]!r}")
        await self._reader.readexactly(int(length[1]))
        if b"connection: close" in answer.lower():
            self.close()
        return int(answer[9:12])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    kind: str = "application/json"


async def at_rate(make: Callable[[int], Request], rate: float, seconds: float, lines: Sequence[Line]) -> Load:
    """Requests at a steady rate, each over whichever line is free."""
    load, free = Load(), asyncio.Queue[Line]()
    for line in lines:
        free.put_nowait(line)
    began = time.perf_counter()

    async def one(number: int, due: float) -> None:
        line = await free.get()
        request = make(number)
        try:
            load.statuses[await line.send(request.method, request.path, request.body, request.kind)] += 1
        except (OSError, asyncio.IncompleteReadError):
            load.statuses[0] += 1
            line.close()
        load.taken.append(time.perf_counter() - due)
        free.put_nowait(line)

    under_way: set[asyncio.Task[None]] = set()
    for number in range(round(rate * seconds)):
        due = began + number / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(one(number, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)
    load.seconds = time.perf_counter() - began
    return load


async def in_turn(make: Callable[[int], Request], seconds: float, lines: Sequence[Line]) -> Load:
    """Each line asks again as soon as it has its answer."""
    load = Load()
    began = time.perf_counter()

    async def reader(line: Line, number: int) -> None:
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            request = make(number)
            load.statuses[await line.send(request.method, request.path, request.body, request.kind)] += 1
            load.taken.append(time.perf_counter() - asked)
            number += READERS

    await asyncio.gather(*(reader(line, n) for n, line in enumerate(lines)))
    load.seconds = time.perf_counter() - began
    return load


@contextmanager
def served(folder: Path, url: str) -> Iterator[tuple[str, int, str, int]]:
    """A service on a database: host, port, a token of an admin, and its process."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CONTRACTS_")}
    env |= {"CONTRACTS_DATABASE_URL": url, "CONTRACTS_RATE_PER_SECOND": "100000"}
    subprocess.run([*SERVE, "db", "upgrade"], env=env, cwd=folder, check=True, capture_output=True)
    scopes = ["--scope", "admin", "--scope", "lineage"]
    token = subprocess.run(
        [*SERVE, "token", "create", "--owner", "load", *scopes, "--format", "json"],
        env=env,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen([*SERVE, "serve", "--port", "0"], env=env, cwd=folder, stderr=log)
        try:
            while not (
                found := re.search(r'"url": "http://([^:]+):(\d+)"', (folder / "serve.log").read_text())
            ):
                if process.poll() is not None:
                    sys.exit((folder / "serve.log").read_text())
                time.sleep(0.1)
            yield found[1], int(found[2]), json.loads(token.stdout)["token"], process.pid
        finally:
            process.terminate()
            process.wait(60)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Most megabytes that a process has held."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def tell(name: str, load: Load, wanted: str, pid: int, cpu: float) -> None:
    """One line for a person."""
    asked = len(load.taken)
    own = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{name}: {asked:,} in {load.seconds:.1f} s = {asked / load.seconds:.0f}/s; median "
        f"{load.percentile(0.5):.0f} ms, p95 {load.percentile(0.95):.0f} ms, p99 {load.percentile(0.99):.0f} ms "
        f"(wanted: {wanted}); answers {dict(load.statuses)}; service {1_000 * cpu / max(1, asked):.1f} ms of CPU "
        f"each, {memory_of(pid):,} MB; load {own.ru_utime + own.ru_stime:.0f} s of CPU; machine load "
        f"{os.getloadavg()[0]:.1f}"
    )


def run(name: str, folder: Path, url: str, seconds: float, rate: float | None) -> None:
    """One measurement on a database that is empty."""
    if name == "readers":
        database = Database(url)
        upgrade(database)
        registered(DatabaseStore(database, read_contract), CONTRACTS)
        database.close()
    with served(folder, url) as (host, port, token, pid):
        lines = [Line(host, port, token) for _ in range(READERS if name == "readers" else CONNECTIONS)]

        def registration(number: int) -> Request:
            return Request(
                "POST",
                f"/api/v1/contracts?file=contracts/{number}.yaml",
                contract(number),
                "application/yaml",
            )

        def lineage(number: int) -> Request:
            return Request("POST", "/api/v1/lineage", event(number))

        def page(number: int) -> Request:
            return Request("GET", f"/api/v1/contracts?limit=100&squad=squad-{number % 60}")

        async def whole() -> Load:
            make = {"registrations": registration, "events": lineage, "readers": page}[name]
            # What is loaded by the first request is not what is measured.
            await at_rate(lambda n: make(n + 10_000_000), 5, 2, lines[:2])
            started = cpu_of(pid)
            if name == "readers":
                load = await in_turn(make, seconds, lines)
                wanted = f"{READERS} readers, p95 under 100 ms"
            else:
                asked = rate or (100 if name == "registrations" else 500)
                load = await at_rate(make, asked, seconds, lines)
                wanted = f"{asked:.0f}/s, p99 under 250 ms"
            tell(name, load, wanted, pid, cpu_of(pid) - started)
            for line in lines:
                line.close()
            return load

        asyncio.run(whole())


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks service")
    parser.add_argument("names", nargs="*", default=["registrations", "events", "readers"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=None, help="requests a second")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite instead of PostgreSQL")
    given = parser.parse_args(arguments)
    for name in given.names:
        with tempfile.TemporaryDirectory() as base:
            folder = Path(base)
            if given.sqlite:
                run(name, folder, f"sqlite:///{folder}/contracts.db", given.seconds, given.rate)
                continue
            server = Postgres(folder, durable=True)
            try:
                run(name, folder, server.url(server.create()), given.seconds, given.rate)
            finally:
                server.stop()

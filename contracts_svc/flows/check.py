"""Post-publish: check what was published against its contract, where it lies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.flows.check_elsewhere import check_elsewhere
from contracts_svc.flows.check_keys import narrowed
from contracts_svc.flows.check_measure import errors, failing_files, measure, measurements
from contracts_svc.flows.check_memory import Memory
from contracts_svc.flows.check_orphans import lost_of, orphans_of
from contracts_svc.flows.check_parts import Asker, Lost, Parts, know, parts_of, renamed
from contracts_svc.flows.check_past import Compare, levels_of_past
from contracts_svc.flows.check_places import LocationOf, is_elsewhere, location_of
from contracts_svc.flows.check_progress import Progress, Teller
from contracts_svc.flows.check_scope import Scope, in_scope, since_of
from contracts_svc.flows.check_sources import (
    Sources,
    Within,
    changed,
    changed_others,
    sources_of,
)
from contracts_svc.flows.check_tables import NONE, storage_of
from contracts_svc.model import Contract, Json, Server, Table
from contracts_svc.ports import Clock, CustomChecks, Engine, OtherSources, Session, Snapshots, Storage
from contracts_svc.ports_history import History
from contracts_svc.quality import details, fuse, masking
from contracts_svc.quality.judge import judge
from contracts_svc.quality.kind import TargetOf
from contracts_svc.quality.kinds import KIND_OF, Origin, told_by_time
from contracts_svc.quality.layout import Layout, layout, where
from contracts_svc.quality.plan import plan
from contracts_svc.quality.reading import reading_of
from contracts_svc.runs import Breakdown, Check, Measurement, Plan, Result, Run

if TYPE_CHECKING:
    from contracts_svc.ports_store import StateStore


def check(
    contract: Contract,
    table: Table,
    server: Server,
    *,
    storage: Storage,
    engine: Engine,
    clock: Clock,
    target_of: TargetOf,
    location_of: LocationOf = location_of,
    partition: Mapping[str, str] | None = None,
    since: str = "",
    samples: int = 5,
    custom: CustomChecks | None = None,
    progress: Progress | None = None,
    footers: bool = True,
    states: StateStore | None = None,
    full: bool = False,
    new_files: bool = False,
    snapshots: Mapping[str, Snapshots] = NONE,
    elsewhere: OtherSources | None = None,
    history: History | None = None,
) -> Run:
    """Check one table of a contract on one of its servers.

    ``partition`` narrows it to the files of these Hive partitions, ``since`` (``day=2026-11-23``, or a date
    or time) to those from a partition on, or changed since, ``new_files`` to those that no earlier run kept
    in ``states``; promises about the whole table are then SKIPPED. Up to ``samples`` failing rows are kept
    per check, classified columns masked. What the ``footers`` of the files prove is not read, unless they
    are not to be asked; nor is what earlier runs kept in ``states``, unless the check is to be ``full``.
    ``snapshots`` read the logs of tables that have one (``delta``, ``iceberg``), ``elsewhere`` measures what
    does not lie in files.
    ``custom`` runs checks that are code of the deployment; without it they are SKIPPED, and without
    a ``history`` so is what compares with earlier runs. What cannot be read, or changes meanwhile, makes
    the checks of it ERRORED, never FAILED. Raises UserMistake for a server that cannot be used, for a
    partition that is not there, and for new files where nothing is kept.
    """
    started = clock.now()
    scope = Scope(partition=dict(partition or {}), since=since_of(since), new_files=new_files)
    place = location_of(contract, table, server)
    if is_elsewhere(server):
        return check_elsewhere(
            contract, table, server, scope, others=elsewhere, clock=clock, target_of=target_of
        )
    reading = reading_of(server, table)
    planned = plan(contract, table, target_of=target_of, reading=reading)
    tell = Teller(progress)
    memory = Memory(states, _place(contract, table, server, place), started, full)
    files: Sequence[DataFile] = ()
    try:
        own = storage_of(reading, storage, snapshots)
        # Where no file is wanted, the others tell what could be.
        files = own.files(place, scope.partitions) or own.files(place)
        files = in_scope(files, scope, table, place)
        if new_files and files:
            files = memory.new_files(files)
            if not files:
                return _nothing_new(planned, server, scope, started, clock.now())
        tell("footers", 0, len(files))
        columns = [c.stored_name for c in table.columns]
        found = layout(table, memory.footers(own, files, reading, columns), reading)
        tell("footers", len(files), len(files))
    except CouldNotCheck as error:
        results = judge(planned, errors(_ids(planned), error), started)
        return _of_files(_run(planned, server, scope, started, clock.now(), results), files)
    tell.about(files, found.rows_of)
    known = [*_known(planned, found, scope, place)]
    known += levels_of_past(contract, table, planned, history, started)
    known += fuse.skipped(_without(planned, {m.check for m in known if m.skipped is None}), found)
    todo = _without(planned, {m.check for m in known})
    parts = parts_of(todo, found)
    know(parts, memory.recall(parts), prove=footers)
    done = [f.expression for f in parts.figures]
    scans = fuse.fuse(todo, found, done=done, asked=parts.asked())
    within = Within(contract, table, server, storage, target_of, location_of, snapshots)
    sources = sources_of(scans, todo, found, within)
    compare = Compare(contract, table, planned, history, str(scope), found.files, started)
    measured: list[Measurement] = []
    results = ()
    try:
        with ExitStack() as stack:
            session = partial(_opened, stack, engine, sources)
            asker = Asker(tell, session, sources.whole, sources.others)
            tell.read = asker.read
            read = measure(parts, asker)
            measured += measurements(parts)
            measured += _measure_all(scans, todo, found, asker, sources.unreachable)
            measured += _measure_custom(todo, asker, found, custom, samples)
            moved = changed(own, place, files, scope.partitions) | _changed_others(sources, asker)
            measured = _without_changed(measured, asker, parts, moved)
            memory.keep(parts, read, whole=scope.whole, changed=moved)
            results = judge(planned, _shown(table, planned, [*known, *measured], compare), clock.now())
            results = _with_times(_with_details(results, parts, asker, samples), found)
    except CouldNotCheck as error:
        measured += errors(_ids(todo), error)
        results = judge(planned, _shown(table, planned, [*known, *measured], compare), clock.now())
    run = _run(planned, server, scope, started, clock.now(), results, scans=asker.asked)
    return replace(
        _of_files(run, files),
        rows=_rows(found, measured),
        files_read=len(asker.read),
        bytes_read=sum(asker.read.values()),
    )


def _opened(stack: ExitStack, engine: Engine, sources: Sources) -> Session:
    return stack.enter_context(engine.open(sources.all()))


def _place(contract: Contract, table: Table, server: Server, place: str) -> str:
    return "\n".join((contract.id, table.name, server.server, place))


def _ids(planned: Plan) -> Iterator[str]:
    return (c.id for c in planned.checks)


def _rows(found: Layout, measured: Iterable[Measurement]) -> int | None:
    """From the footers; text files have none, and are counted while they are read."""
    counted = (m.values["rows"] for m in measured if m.values.get("rows") is not None)
    return found.rows if found.rows is not None else next(counted, None)


def _of_files(run: Run, files: Sequence[DataFile]) -> Run:
    published = max((t for f in files if (t := f.published) is not None), default=None)
    return replace(run, files=len(files), bytes=sum(f.size for f in files), published=published)


def _shown(
    table: Table, planned: Plan, measured: Iterable[Measurement], compare: Compare
) -> list[Measurement]:
    """One measurement per check, with nothing in it that must not be shown."""
    whole = compare.with_past(fuse.combine(measured))
    return [masking.masked_measurement(table, _check(planned, m), m) for m in whole]


def _nothing_new(planned: Plan, server: Server, scope: Scope, started: datetime, now: datetime) -> Run:
    reason = "no file is new or changed since the last run"
    skipped = [Measurement(check=c, skipped=reason) for c in _ids(planned)]
    return _run(planned, server, scope, started, now, judge(planned, skipped, started))


def _run(
    planned: Plan,
    server: Server,
    scope: Scope,
    started: datetime,
    finished: datetime,
    results: tuple[Result, ...],
    *,
    scans: int = 0,
) -> Run:
    return Run(
        contract=planned.contract,
        version=planned.version,
        table=planned.table,
        server=server.server,
        scope=str(scope),
        started=started,
        finished=finished,
        results=results,
        scans=scans,
        unsupported=planned.unsupported,
    )


def _changed_others(sources: Sources, asker: Asker) -> frozenset[str]:
    return changed_others(sources, {source.name for source, _ in asker.uses})


def _without_changed(
    measured: Sequence[Measurement], asker: Asker, parts: Parts, changed: Collection[str]
) -> list[Measurement]:
    """The measurements; what was measured of a changed file is none, whatever it says."""
    named = list(dict.fromkeys(where(f) for f in parts.layout.files if f.path in changed))[:3]
    hit = asker.readers(changed) | (parts.checks() if named else frozenset())
    if not hit:
        return list(measured)
    what = ", ".join(named) or "a file of another table"
    error = CouldNotCheck(what, "changed while being read", "check again when the publish is over")
    return [*(m for m in measured if m.check not in hit), *errors(sorted(hit), error)]


# --- measuring ------------------------------------------------------------------------------------


def _check(planned: Plan, measured: Measurement) -> Check:
    return next(c for c in planned.checks if c.id == measured.check)


def _without(planned: Plan, done: set[str]) -> Plan:
    return replace(planned, checks=tuple(c for c in planned.checks if c.id not in done))


def _known(planned: Plan, found: Layout, scope: Scope, place: str) -> Iterator[Measurement]:
    for measured in fuse.footers(planned, found):
        if _check(planned, measured).kind == "table-present":
            measured = replace(measured, values={**measured.values, "location": place})
        yield measured
    if not scope.whole:
        reason = f"it is about the whole table, and only {scope} was checked"
        for each in planned.checks:
            if KIND_OF[each.kind].whole_table(each):
                yield Measurement(check=each.id, skipped=reason)


def _measure_all(
    scans: Sequence[fuse.Scan],
    planned: Plan,
    found: Layout,
    asker: Asker,
    unreachable: Mapping[str, CouldNotCheck],
) -> Iterator[Measurement]:
    for number, scan in enumerate(scans):
        asker.tell("scans", number, len(scans))
        yield from _measure(scan, planned, found, asker, unreachable)
    asker.tell("scans", len(scans), len(scans))


def _measure(
    scan: fuse.Scan,
    planned: Plan,
    found: Layout,
    asker: Asker,
    unreachable: Mapping[str, CouldNotCheck],
) -> Iterator[Measurement]:
    """What a scan says. Where a shared scan cannot run, each of its checks is tried alone: one that the
    engine refuses must not take the others with it."""
    checks = [c for c in planned.checks if c.id in scan.checks]
    try:
        for name in scan.sources:
            if name in unreachable:
                raise unreachable[name]
        lost = _lost(checks[0], found, asker)
        if lost is not None:
            yield Measurement(check=checks[0].id, values=orphans_of(lost, checks[0], found, asker))
            return
        rows = asker.rows(scan.query, scan.checks)
    except CouldNotCheck as error:
        if error.retryable or len(checks) == 1:
            yield from errors((c.id for c in checks), error)
            return
        for alone in (fuse.scan([c], found) for c in checks):
            if alone is not None:
                yield from _measure(alone, planned, found, asker, unreachable)
        return
    yield from fuse.read(scan, rows, planned)


def _lost(check: Check, found: Layout, asker: Asker) -> Lost | None:
    if check.kind != "relationship":
        return None
    if check.id not in asker.lost:
        asker.lost[check.id] = lost_of(check, found, asker)
    return asker.lost[check.id]


def _measure_custom(
    planned: Plan, asker: Asker, found: Layout, custom: CustomChecks | None, samples: int
) -> Iterator[Measurement]:
    for each in planned.checks:
        if KIND_OF[each.kind].origin is not Origin.CUSTOM:
            continue
        if custom is None:
            yield Measurement(check=each.id, skipped="custom checks are not set up here")
        elif found.reading.text or found.reading.table:
            rows = partial(asker.write, details.all_rows(found), each.id)
            yield custom.run(each, found.table, found.files, samples, rows)
        else:
            asker.uses.append((asker.whole, (each.id,)))
            yield custom.run(each, found.table, found.files, samples)


# --- what is shown of failures --------------------------------------------------------------------


def _with_details(
    results: tuple[Result, ...], parts: Parts, asker: Asker, samples: int
) -> tuple[Result, ...]:
    """Sample rows and breakdowns for what failed. Where they cannot be had, the verdict stands alone."""
    found = parts.layout
    bad = [r.check for r in results if r.bad and KIND_OF[r.check.kind].failing is not None]
    files = {c.id: n for c in bad if (n := failing_files(c.id, parts)) is not None}
    breakdowns = {check: details.by_file(counts, found) for check, counts in files.items()}
    breakdowns |= _breakdowns([c for c in bad if c.id not in files], parts, asker)
    shown: dict[str, tuple[Mapping[str, Json], ...]] = {}
    for number, failed in enumerate(bad):
        asker.tell("samples", number, len(bad))
        shown[failed.id] = _samples(failed, parts, asker, samples, files.get(failed.id))
    asker.tell("samples", len(bad), len(bad))
    return tuple(
        replace(
            r,
            values={k: v for k, v in r.values.items() if k != "samples"},
            samples=shown.get(r.check.id) or tuple(r.values.get("samples") or ()),
            breakdown=breakdowns.get(r.check.id) or _of_footers(r),
        )
        for r in results
    )


def _with_times(results: tuple[Result, ...], found: Layout) -> tuple[Result, ...]:
    """The results with the times at which bad data was published."""
    return tuple(
        replace(r, published=details.published(r.breakdown, found))
        if r.bad and not told_by_time(r.check)
        else r
        for r in results
    )


def _samples(
    failed: Check, parts: Parts, asker: Asker, count: int, files: Mapping[str, int] | None
) -> tuple[Mapping[str, Json], ...]:
    found = parts.layout
    query = details.sample_query(failed, found, count)
    if query is None:
        return ()
    try:
        if files is not None:
            # The others have no failing rows.
            part = asker.part([f for f in found.files if f.path in files])
            query = renamed(query, found.table.name, part)
        query = narrowed(query, failed, parts, asker)
        if query is None:
            return ()
        return tuple(masking.masked_row(found.table, row) for row in asker.rows(query))
    except CouldNotCheck:
        return ()


def _breakdowns(bad: Sequence[Check], parts: Parts, asker: Asker) -> dict[str, tuple[Breakdown, ...]]:
    found: dict[str, tuple[Breakdown, ...]] = {}
    by_id = {c.id: c for c in bad}
    for counts in details.count_queries(bad, parts.layout):
        query: exp.Query | None = counts.query
        try:
            if len(counts.outputs) == 1:
                query = narrowed(counts.query, by_id[next(iter(counts.outputs.values()))], parts, asker)
            if query is not None:
                found |= details.breakdowns(counts, asker.rows(query), parts.layout)
        except CouldNotCheck:
            continue
    return found


def _of_footers(result: Result) -> tuple[Breakdown, ...]:
    parts: Mapping[str, int] = result.values.get("parts") or {}
    return details.ordered({k: n for k, n in parts.items() if n}) if result.bad else ()

"""Wires what a process does by itself: the scheduler, the worker and the loops."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from contracts_svc import app, app_alerts, app_loops
from contracts_svc.adapters.store.leader import Alone, PostgresLeadership
from contracts_svc.app_alerts import Alerting
from contracts_svc.app_alerts_metrics import AlertMetrics
from contracts_svc.app_github import GitHubApp, github_app
from contracts_svc.app_outcomes import Outcomes
from contracts_svc.check_metrics import CheckMetrics
from contracts_svc.flows.learning import StoredHistory
from contracts_svc.flows.run_check import Checking, failed
from contracts_svc.flows.scheduling import Scheduling
from contracts_svc.loops import Loops
from contracts_svc.loops_metrics import LoopMetrics
from contracts_svc.scheduler import Embedded, Scheduler, Worker
from contracts_svc.scheduler_metrics import SchedulerMetrics
from contracts_svc.schedules_runs import Limits
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.flows.stored_lineage import StoredLineage


def scheduled(
    settings: Settings,
    registry: CollectorRegistry,
    opened: DatabaseStore | None = None,
    *,
    known: StoredLineage | None = None,
    alerting: Alerting | None = None,
    github: GitHubApp | None = None,
) -> Embedded:
    """What this process does by itself, not yet started: it schedules, checks, sends, and looks after
    what is kept. Raises UserMistake, CouldNotCheck.

    ``opened`` is the store where the process has one already; else one is opened, and closed at the end.
    ``known``, ``alerting`` and ``github`` are its lineage, its route file and its GitHub App, likewise.
    """
    clock, kept, jobs = app.SystemClock(), opened or app.store(settings), app.queue(settings)
    alerting = alerting or Alerting(settings, os.environ)
    known = known or app.lineage(kept)
    telling = app_alerts.telling(kept, alerting, known)
    checking = Checking(
        store=kept,
        clock=clock,
        check=app.check_table(
            settings, StoredHistory(kept), kept, Outcomes(settings, CheckMetrics(registry))
        ),
        tell=telling.tell,
        most_attempts=settings.run_attempts,
    )
    scheduling = Scheduling(
        store=kept,
        queue=jobs,
        read=app.reader(),
        died=lambda run: failed(run, f"its worker {run.worker} died", checking),
        windows=app.windows(settings),
        quiet=timedelta(seconds=settings.publish_quiet_seconds),
        limits=Limits(per_bucket=settings.runs_per_bucket, per_tenant=settings.runs_per_tenant),
    )
    leadership = Alone() if kept.database.is_sqlite else PostgresLeadership(kept.database)
    metrics = SchedulerMetrics(registry)
    scheduler = Scheduler(scheduling, leadership, clock, metrics=metrics)
    github = github or github_app(settings, kept, known=known, routes=alerting.routes)
    parts = app_loops.Parts(
        settings=settings,
        store=kept,
        clock=clock,
        alerting=alerting,
        telling=telling,
        metrics=AlertMetrics(registry),
        steps=github.steps if github else {},
    )

    def close() -> None:
        jobs.close()
        if opened is None:
            kept.close()

    return Embedded(
        scheduler,
        Worker(jobs, checking, slots=settings.worker_slots, metrics=metrics),
        Loops(app_loops.loops(parts), leads=lambda: scheduler.leads, metrics=LoopMetrics(registry)),
        close,
    )

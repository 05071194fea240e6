"""May a pipeline read this now? Each row is one reason to say yes, no, or that nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.errors import ExitCode
from contracts_svc.findings import Severity
from contracts_svc.gate import gate
from contracts_svc.render.gate import gate_code
from contracts_svc.runs import Check, Outcome, Result, Run

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHECK = Check(id="amount-nulls", kind="nulls", table="orders", columns=("amount",), title="amount is filled")
FAILED = Result(check=CHECK, outcome=Outcome.FAILED, found="3 of 9 rows are NULL")


def run(hours: float, *outcomes: Outcome) -> Run:
    ended = NOW - timedelta(hours=hours)
    results = tuple(Result(check=CHECK, outcome=o, reason="access denied") for o in outcomes)
    return Run(contract="orders", version="1.0.0", table="orders", server="lake", scope="whole table",
               started=ended, finished=ended, results=results)  # fmt: skip


def incident(
    severity: Severity, state: IncidentState = IncidentState.OPEN, table: str = "orders"
) -> Incident:
    return Incident(fingerprint=f"{severity}{state}{table}", contract="orders", table=table, check=CHECK.id,
                    columns=("amount",), severity=severity, state=state, opened=NOW, seen=NOW, since="month=12",
                    evidence=FAILED)  # fmt: skip


GOOD = {"orders": run(1, Outcome.PASSED)}


@pytest.mark.parametrize(
    ("last", "incidents", "options", "code", "said"),
    [
        (GOOD, [], {}, 0, "orders is as promised"),
        (GOOD, [incident(Severity.ERROR)], {}, 1, "error: orders (amount): 3 of 9 rows are NULL"),
        (GOOD, [incident(Severity.ERROR, IncidentState.ACKNOWLEDGED)], {}, 1, "error: orders"),
        (GOOD, [incident(Severity.ERROR, IncidentState.RESOLVED)], {}, 0, "as promised"),
        (GOOD, [incident(Severity.ERROR, IncidentState.PENDING)], {}, 0, "as promised"),
        (GOOD, [incident(Severity.WARNING)], {}, 0, "as promised"),
        (GOOD, [incident(Severity.WARNING)], {"closes": Severity.WARNING}, 1, "warning: orders"),
        (GOOD, [incident(Severity.ERROR, table="items")], {}, 0, "as promised"),
        (GOOD, [replace(incident(Severity.ERROR), contract="menus")], {}, 0, "as promised"),
        ({"orders": None}, [], {}, 3, "never checked"),
        ({"orders": None}, [incident(Severity.ERROR)], {}, 1, "error: orders"),
        ({"orders": run(3, Outcome.PASSED)}, [], {"max_age": timedelta(hours=2)}, 3, "too long ago"),
        ({"orders": run(2, Outcome.PASSED)}, [], {"max_age": timedelta(hours=2)}, 0, "as promised"),
        (
            {"orders": run(1, Outcome.ERRORED, Outcome.SKIPPED)},
            [],
            {},
            3,
            "could not be checked: access denied",
        ),
        ({"orders": run(1, Outcome.ERRORED, Outcome.PASSED)}, [], {}, 0, "as promised"),
        ({**GOOD, "items": None}, [], {}, 3, "items was never checked"),
    ],
)
def test_it_is_open_closed_or_nobody_can_tell(last, incidents, options, code, said) -> None:  # type: ignore[no-untyped-def]
    found = gate("orders", last, incidents, now=NOW, **options)
    assert gate_code(found.open, found.unknown) == ExitCode(code)
    assert said in found.reasons[0]


def test_it_counts_what_is_open_and_tells_the_oldest_check() -> None:
    every = [
        incident(Severity.ERROR),
        incident(Severity.WARNING),
        incident(Severity.ERROR, IncidentState.RESOLVED),
    ]
    found = gate("orders", {**GOOD, "items": run(5, Outcome.PASSED)}, every, now=NOW)
    assert found.incidents == {Severity.ERROR: 1, Severity.WARNING: 1, Severity.INFO: 0}
    assert found.checked == NOW - timedelta(hours=5)

"""``contracts incidents``"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts_svc import app, settings
from contracts_svc.alerts import Audience
from contracts_svc.cli.main import main
from contracts_svc.flows.register import register
from contracts_svc.incidents import step
from contracts_svc.routes.dispatch import receive
from contracts_svc.routes.flush import World, flush, sent
from tests.alerts_world import CARRIER, DEP_DELAY, fails, passes, run
from tests.telling import note

CONTRACT = b"""
apiVersion: v3.1.0
kind: DataContract
id: urn:flights
version: 1.0.0
status: active
schema: [{name: flights, properties: [{name: dep_delay, logicalType: integer}]}]
slaProperties: [{property: timeToRepair, value: 1, unit: h}]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONTRACTS_DATABASE_URL", raising=False)


def test_incidents_are_listed_and_shown_with_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    store, now = app.store(settings.load()), datetime.now(UTC).replace(microsecond=0)
    register(CONTRACT, "flights.odcs.yaml", read=app.reader(), store=store, now=now)
    began = now - timedelta(hours=3)
    bad = replace(fails(DEP_DELAY), published=began - timedelta(minutes=10))
    first = step((), run(began, "month=12", bad, fails(CARRIER)), began)
    store.put_incidents(first.incidents, first.transitions)
    store.put_told([i.fingerprint for i in first.incidents], Audience.OWNER, began + timedelta(seconds=65))
    good = step(first.incidents, run(now, "month=12", passes(CARRIER)), now)
    store.put_incidents(good.incidents, good.transitions)

    assert main(["incidents", "list"]) == 0
    listed = capsys.readouterr().out
    assert "open error flights: dep_delay lies between -60 and 1800" in listed
    assert "detected within 10 minutes, told within 1 minute" in listed
    assert listed.endswith("1 incident\n")
    assert main(["incidents", "list", "--resolved-within", "1d", "--format", "json"]) == 0
    each = {i["check"]: i for i in json.loads(capsys.readouterr().out)["incidents"]}
    assert each[DEP_DELAY.id]["detect_seconds"] == 605
    assert each[CARRIER.id]["repair_seconds"] == 3 * 3600 - 5
    assert main(["incidents", "list", "--contract", "other"]) == 0
    assert capsys.readouterr().out == "0 incidents\n"

    assert main(["incidents", "show", each[DEP_DELAY.id]["id"][:12]]) == 0
    shown = capsys.readouterr().out
    assert "timeToRepair of 1 hour: 2.9 hours, not kept" in shown or "3 hours, not kept" in shown
    assert "open: failed on month=12" in shown
    assert main(["incidents", "show", each[CARRIER.id]["id"], "-f", "json"]) == 0
    document = json.loads(capsys.readouterr().out)["incident"]
    assert [t["state"] for t in document["transitions"]] == ["open", "resolved"]
    assert document["service_levels"][0]["kept"] is False


@pytest.mark.parametrize("words", [["show", "zzz"], ["show", ""], ["list", "--resolved-within", "soon"]])
def test_what_is_not_there_is_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", *words]) == 2
    assert "contracts incidents list" in capsys.readouterr().err or words[0] == "list"


def test_somebody_takes_an_incident_and_says_that_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    store, now = app.store(settings.load()), datetime.now(UTC).replace(microsecond=0)
    register(CONTRACT, "flights.odcs.yaml", read=app.reader(), store=store, now=now)
    (incident,) = step((), run(now, "month=12", fails(DEP_DELAY)), now).incidents
    incident = replace(incident, announced=True)
    store.put_incidents([incident])
    said = note(incident.fingerprint, team="flight-ops", channel="#ops")
    groups = receive((), [replace(said, receiver="slack")], now=now)
    store.put_groups(sent(flush(g, World(), now + timedelta(minutes=1)).group, now) for g in groups)

    begin = incident.fingerprint[:12]
    assert main(["incidents", "acknowledge", begin, "--for", "4h", "--author", "ada"]) == 0
    assert "is acknowledged: ada is on it until" in capsys.readouterr().out
    (group,) = store.every_group()
    assert [u.by.who for u in group.updates] == ["ada"], "whoever was told is going to see it"
    assert main(["incidents", "acknowledge", begin, "--author", "bob", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["owner"] == "bob"
    assert main(["incidents", "resolve", begin, "--reason", " "]) == 2
    assert "only with a reason" in capsys.readouterr().err
    assert main(["incidents", "resolve", begin, "--reason", "restored", "--author", "bob"]) == 0
    assert "is resolved: resolved by bob: restored" in capsys.readouterr().out
    (group,) = store.every_group()
    assert [e.firing for e in group.entries] == [False], "whoever was told hears that it is over"
    assert main(["incidents", "acknowledge", begin, "--author", "bob"]) == 2
    assert [(e.action, e.actor.who, e.actor.where) for e in store.audit("incident")] == [
        ("acknowledged", "ada", "cli"),
        ("acknowledged", "bob", "cli"),
        ("resolved", "bob", "cli"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["acknowledge", "nothing"], "no incident is called 'nothing'"),
        (["acknowledge", "nothing", "--for", "soon"], "'soon' is no duration"),
        (["resolve", "nothing", "--reason", "x"], "no incident is called 'nothing'"),
    ],
)
def test_what_is_no_incident_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", *words]) == 2
    assert said in capsys.readouterr().err

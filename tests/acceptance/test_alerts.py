"""Who hears what, and when: told as it would be told to a colleague, under a clock that stands."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from contracts_svc.adapters.receivers.console import ConsoleReceiver
from contracts_svc.alerts import Notification
from contracts_svc.flows.notify import Outcome, notify
from contracts_svc.ports import Delivery
from contracts_svc.runs import Check, Result
from contracts_svc.runs import Outcome as RunOutcome
from tests.alerts_world import (
    CARRIER,
    CONSUMERS,
    CONTRACTS,
    DEP_DELAY,
    DEST,
    GRAPH,
    NOON,
    TAILNUM,
    dataset_of,
    fails,
    passes,
    run,
)
from tests.fixtures_store import memory_store


class Slack:
    """Keeps what is posted, by channel; a channel may be archived."""

    def __init__(self) -> None:
        self.posted: list[Notification] = []
        self.archived: set[str] = set()

    def send(self, notification: Notification) -> Delivery:
        if notification.channel in self.archived:
            return Delivery(sent=False, reason="is_archived")
        self.posted.append(notification)
        return Delivery(sent=True)


class Lake:
    """The platform at work: a clock, what is kept, and the channels."""

    def __init__(self) -> None:
        self.time = NOON
        self.store = memory_store()
        self.slack = Slack()

    def now(self) -> datetime:
        return self.time

    def at(self, **passed: float) -> Lake:
        self.time = NOON + timedelta(**passed)
        return self

    def checks(self, scope: str, *results: Result) -> Outcome:
        """Flights are checked; what was posted before is not looked at again."""
        self.slack.posted.clear()
        return notify(
            run(self.time, scope, *results),
            store=self.store,
            receivers={"slack": self.slack},
            contracts=CONTRACTS,
            dataset_of=dataset_of,
            graph=GRAPH,
            consumers=CONSUMERS,
            clock=self,
        )

    def december_fails(self, *checks: Check) -> Outcome:
        return self.checks("month=12", *(fails(c) for c in checks))

    def december_passes(self, *checks: Check) -> Outcome:
        return self.checks("month=12", *(passes(c) for c in checks))

    def heard(self) -> dict[str, int]:
        """Channel -> how many messages came in."""
        return dict(Counter(n.channel for n in self.slack.posted))

    def text(self, channel: str) -> str:
        """What can be read in a channel, without its line breaks."""
        written: list[str] = []
        for notification in self.slack.posted:
            if notification.channel == channel:
                ConsoleReceiver(written.append).send(notification)
        return " ".join(" ".join(written).split())


AFFECTED = {"#flight-ops": 1, "#finance": 1, "#punctuality": 1, "#executive-reporting": 1}


def test_when_december_fails_the_owner_and_each_affected_team_hear_once() -> None:
    lake = Lake()
    lake.at(seconds=0).december_fails(DEP_DELAY, CARRIER)
    assert lake.heard() == AFFECTED


def test_each_hears_in_their_own_words() -> None:
    lake = Lake()
    lake.december_fails(DEP_DELAY, CARRIER)

    owner = lake.text("#flight-ops")
    assert "flights: carrier and dep_delay are not as promised since month=12" in owner
    assert "dep_delay lies between -60 and 1800" in owner
    assert "1,204 of 28,135" in owner
    assert "contracts/flights.odcs.yaml:41" in owner
    assert "XSECRETX" in owner
    assert "--partition month=12" in owner

    finance = lake.text("#finance")
    assert "carrier_scorecard is affected by wrong data in flights since month=12" in finance
    assert "carrier_scorecard.worst_dep_delay is made from flights.dep_delay" in finance
    assert "carrier_scorecard.carrier is made from flights.carrier" in finance
    assert "flight-ops, in #flight-ops on Slack" in finance
    assert "daily_delays" not in finance

    punctuality = lake.text("#punctuality")
    assert "daily_delays.mean_dep_delay is made from flights.dep_delay" in punctuality
    assert "carrier" not in punctuality

    board = lake.text("#executive-reporting")
    assert 'the dashboard "On-time performance"' in board
    assert "(through carrier_scorecard.worst_dep_delay)" in board

    for text in (finance, punctuality, board):
        assert "XSECRETX" not in text
        assert "987654" not in text
        assert "flights.dep_delay.range" not in text
        assert "odcs.yaml" not in text


def test_the_same_failing_run_again_is_no_news() -> None:
    lake = Lake()
    lake.december_fails(DEP_DELAY, CARRIER)
    lake.at(hours=1).december_fails(DEP_DELAY, CARRIER)
    assert lake.heard() == {}


def test_after_the_fix_all_of_them_hear_that_it_is_over() -> None:
    lake = Lake()
    lake.december_fails(DEP_DELAY, CARRIER)
    lake.at(hours=2, minutes=5).december_passes(DEP_DELAY, CARRIER)

    assert lake.heard() == AFFECTED
    assert "flights: carrier and dep_delay are as promised again" in lake.text("#flight-ops")
    assert "flights is right again: it is over for carrier_scorecard" in lake.text("#finance")
    assert "2 h 4 min" in lake.text("#finance")

    lake.at(hours=3).december_passes(DEP_DELAY, CARRIER)
    assert lake.heard() == {}


def test_a_half_fix_is_called_half() -> None:
    lake = Lake()
    lake.december_fails(DEP_DELAY, CARRIER)
    lake.at(hours=1).checks("month=12", passes(DEP_DELAY), fails(CARRIER))

    assert lake.heard() == AFFECTED
    assert "flights is only partly right again: carrier_scorecard stays affected" in lake.text("#finance")
    assert "flights.carrier has values missing" in lake.text("#finance")
    assert "it is over for daily_delays" in lake.text("#punctuality")
    assert "Still not as promised" in lake.text("#flight-ops")


def test_a_good_january_does_not_end_a_bad_december() -> None:
    lake = Lake()
    lake.december_fails(DEP_DELAY)
    lake.at(hours=1).checks("month=1", passes(DEP_DELAY))
    assert lake.heard() == {}
    lake.at(hours=2).checks("whole table", passes(DEP_DELAY))
    assert set(lake.heard()) == {"#flight-ops", "#finance", "#punctuality", "#executive-reporting"}


def test_a_column_that_nobody_reads_is_between_us_and_the_owner() -> None:
    lake = Lake()
    lake.december_fails(TAILNUM)
    assert lake.heard() == {"#flight-ops": 1}


def test_only_the_readers_of_the_failing_column_hear() -> None:
    lake = Lake()
    lake.december_fails(DEST)
    assert lake.heard() == {"#flight-ops": 1, "#finance": 1}


def test_a_check_that_could_not_run_tells_nobody_that_data_is_wrong_or_right() -> None:
    lake = Lake()
    errored = Result(check=DEP_DELAY, outcome=RunOutcome.ERRORED, reason="timeout")
    lake.checks("month=12", errored)
    assert lake.heard() == {}
    lake.at(hours=1).december_fails(DEP_DELAY)
    lake.at(hours=2).checks("month=12", errored)
    assert lake.heard() == {}
    assert len(lake.store.incidents()) == 1


def test_one_archived_channel_does_not_keep_the_others_from_hearing() -> None:
    lake = Lake()
    lake.slack.archived.add("#finance")
    outcome = lake.december_fails(DEP_DELAY, CARRIER)
    assert lake.heard() == {"#flight-ops": 1, "#punctuality": 1, "#executive-reporting": 1}
    assert [(n.channel, d.reason) for n, d in outcome.unsent] == [("#finance", "is_archived")]

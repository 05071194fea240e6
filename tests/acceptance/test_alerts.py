"""Who hears what, and when: told as it would be told to a colleague, under a clock that stands."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from contracts_svc.adapters.receivers.console import ConsoleReceiver
from contracts_svc.alerts import IncidentState, Notification
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
    NAMES,
    NOON,
    TAILNUM,
    WORST,
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

    def checks(self, scope: str, *results: Result, table: str = "flights") -> Outcome:
        """A table is checked; what was posted before is not looked at again."""
        self.slack.posted.clear()
        return notify(
            run(self.time, scope, *results, table=table),
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
    assert [i.check for i in lake.store.incidents() if i.state is IncidentState.OPEN] == [DEP_DELAY.id]


def test_one_archived_channel_does_not_keep_the_others_from_hearing() -> None:
    lake = Lake()
    lake.slack.archived.add("#finance")
    outcome = lake.december_fails(DEP_DELAY, CARRIER)
    assert lake.heard() == {"#flight-ops": 1, "#punctuality": 1, "#executive-reporting": 1}
    assert [(n.channel, d.reason) for n, d in outcome.unsent] == [("#finance", "is_archived")]


# --- one root cause, one message ------------------------------------------------------------------


def test_what_a_failure_upstream_explains_is_told_with_it_and_not_by_itself() -> None:
    lake = Lake()
    lake.at(hours=0).december_fails(DEP_DELAY)
    lake.at(hours=1).checks("whole table", fails(WORST), table="carrier_scorecard")
    assert lake.heard() == {}, "#finance has heard of the cause already"
    lake.at(hours=2).december_passes(DEP_DELAY)
    assert "flights is right again" in lake.text("#finance")
    lake.at(hours=3).checks("whole table", passes(WORST), table="carrier_scorecard")
    assert lake.heard() == {}


def test_a_symptom_that_outlives_its_cause_stands_on_its_own() -> None:
    lake = Lake()
    lake.at(hours=0).december_fails(DEP_DELAY)
    lake.at(hours=1).checks("whole table", fails(WORST), table="carrier_scorecard")
    lake.at(hours=2).december_passes(DEP_DELAY)
    lake.at(hours=3).checks("whole table", fails(WORST), table="carrier_scorecard")
    assert lake.heard() == {"#finance": 1, "#executive-reporting": 1}
    assert "although its cause is mended" in lake.text("#finance")
    lake.at(hours=4).checks("whole table", passes(WORST), table="carrier_scorecard")
    assert lake.heard() == {"#finance": 1, "#executive-reporting": 1}


def test_a_failure_in_columns_that_the_cause_does_not_reach_is_told() -> None:
    lake = Lake()
    lake.at(hours=0).december_fails(DEP_DELAY)
    lake.at(hours=1).checks("whole table", fails(NAMES), table="carrier_scorecard")
    assert lake.heard() == {"#finance": 1}


def test_a_cause_found_later_names_what_it_explains() -> None:
    lake = Lake()
    lake.at(hours=0).checks("whole table", fails(WORST), table="carrier_scorecard")
    assert "#finance" in lake.heard()
    lake.at(hours=1).december_fails(DEP_DELAY)
    owner = lake.text("#flight-ops")
    assert "Explains as well" in owner
    assert "carrier_scorecard: worst_dep_delay is at most 1800" in owner
    lake.at(hours=2).december_passes(DEP_DELAY)
    lake.at(hours=3).checks("whole table", passes(WORST), table="carrier_scorecard")
    assert "as promised again" in lake.text("#finance"), "who was told that it is wrong hears that it is over"


# --- could not be checked -------------------------------------------------------------------------

NOT_CHECKED = Result(check=DEP_DELAY, outcome=RunOutcome.ERRORED, reason="the bucket is gone")


def test_the_owner_alone_hears_of_a_table_that_cannot_be_checked_three_times() -> None:
    lake = Lake()
    for hour in (0, 1):
        lake.at(hours=hour).checks("month=12", NOT_CHECKED)
        assert lake.heard() == {}
    lake.at(hours=2).checks("month=12", NOT_CHECKED)
    assert lake.heard() == {"#flight-ops": 1}
    said = lake.text("#flight-ops")
    assert "flights could not be checked 3 times in a row" in said
    assert "the bucket is gone" in said
    assert "not as promised" not in said
    lake.at(hours=3).checks("month=12", NOT_CHECKED)
    assert lake.heard() == {}
    lake.at(hours=4).december_passes(DEP_DELAY)
    assert lake.heard() == {"#flight-ops": 1}
    assert "flights can be checked again" in lake.text("#flight-ops")


def test_once_is_not_told_and_is_forgotten() -> None:
    lake = Lake()
    for hour in range(0, 8, 2):
        lake.at(hours=hour).checks("month=12", NOT_CHECKED)
        lake.at(hours=hour + 1).december_passes(DEP_DELAY)
        assert lake.heard() == {}


# --- coming back, and coming and going ------------------------------------------------------------


def test_what_comes_back_within_a_day_is_the_same_incident_and_told_again() -> None:
    lake = Lake()
    lake.at(hours=0).december_fails(CARRIER)
    lake.at(hours=1).december_passes(CARRIER)
    outcome = lake.at(hours=2).december_fails(CARRIER)
    (transition,) = outcome.transitions
    assert transition.before is IncidentState.RESOLVED
    assert transition.incident.reopened == 1
    assert "failed on month=12 again" in lake.text("#flight-ops")


def test_what_comes_back_later_is_a_new_one() -> None:
    lake = Lake()
    lake.at(hours=0).december_fails(CARRIER)
    lake.at(hours=1).december_passes(CARRIER)
    (transition,) = lake.at(hours=26).december_fails(CARRIER).transitions
    assert transition.before is None
    assert transition.incident.reopened == 0


def test_what_comes_and_goes_is_told_once_as_such_and_over_when_it_has_settled() -> None:
    lake = Lake()
    told: list[int] = []
    for hour in range(12):
        turn = lake.december_passes if hour % 2 else lake.december_fails
        lake.time = NOON + timedelta(hours=hour)
        turn(CARRIER)
        told.append(lake.heard().get("#flight-ops", 0))
    assert told == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    (incident,) = lake.store.incidents()
    assert incident.flapping
    for hour in range(12, 15):
        assert lake.store.incidents()
        lake.at(hours=hour).december_passes(CARRIER)
    assert lake.store.incidents() == ()
    assert "as promised again" in lake.text("#flight-ops")

"""Sign-off as a state machine: table of steps, and properties over any history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.findings import ChangeKind
from contracts_svc.github.check_run import Conclusion
from contracts_svc.github.signoff import (
    Opinion,
    Override,
    People,
    SignOff,
    Stance,
    State,
    asked,
    sign_off,
)
from contracts_svc.policy import Outcome, Policy
from contracts_svc.verdict import Verdict
from tests.core.demo_downstream import DEMO_FINDINGS, DEST, NOW, finding
from tests.core.test_render_verdict import decided

VERDICT = decided(policy=Policy(must_agree=("consumers", "platform")))
SEEN = asked(VERDICT)
PEOPLE = People(
    logins={"finance": frozenset({"ada", "bob"}), "Platform": frozenset({"@Pat"})},
    administrators=frozenset({"root"}),
)


def said(user: str, stance: str, number: int, seen: frozenset[str] = SEEN) -> Opinion:
    return Opinion(user=user, stance=Stance(stance), number=number, seen=seen)


def standing(*opinions: Opinion, verdict: Verdict = VERDICT, **more: object) -> SignOff:
    return sign_off(verdict, opinions, PEOPLE, **more)  # type: ignore[arg-type]


ALL = frozenset({"finance", "platform"})


@pytest.mark.parametrize(
    ("opinions", "waiting"),
    [
        ([], ALL),
        ([("ada", "approved", 1)], {"platform"}),
        ([("ADA", "approved", 1), ("pat", "approved", 2)], set()),
        ([("ada", "approved", 1), ("ada", "dismissed", 2), ("pat", "approved", 3)], {"finance"}),
        ([("ada", "dismissed", 1), ("ada", "approved", 2), ("pat", "approved", 3)], set()),
        ([("ada", "approved", 1), ("ada", "commented", 2), ("pat", "approved", 3)], set()),
        ([("ada", "approved", 1), ("bob", "changes_requested", 2), ("pat", "approved", 3)], {"finance"}),
        ([("bob", "changes_requested", 1), ("bob", "approved", 2), ("pat", "approved", 3)], set()),
        ([("bob", "changes_requested", 1), ("ada", "approved", 2), ("bob", "dismissed", 3), ("pat", "approved", 4)], set()),
        ([("mallory", "approved", 1)], ALL),
        ([("mona", "approved", 1)], ALL),  # the author
    ],
)  # fmt: skip
def test_reviews(opinions: list[tuple[str, str, int]], waiting: set[str]) -> None:
    people = replace(PEOPLE, logins={**PEOPLE.logins, "finance": frozenset({"ada", "bob", "mona"})})
    found = sign_off(VERDICT, [said(*o) for o in opinions], people, author="Mona")
    assert set(found.waiting) == waiting
    assert found.conclusion is (Conclusion.ACTION_REQUIRED if waiting else Conclusion.NEUTRAL)


def test_a_changed_change_asks_again() -> None:
    before = standing(said("ada", "approved", 1), said("pat", "approved", 2))
    changed = finding(ChangeKind.REMOVED, "flights.dep_delay", rule="OTHER")
    new = decided([*(f for f in DEMO_FINDINGS if f.column != "dep_delay"), changed], policy=VERDICT.policy)
    after = standing(said("ada", "approved", 1), said("pat", "approved", 2), verdict=new)
    states = {s.fingerprint: s.state for s in after.standings}
    assert before.waiting == ()
    assert set(after.waiting) == ALL | {"executive-reporting", "punctuality"}
    assert (states[DEST.fingerprint], states[changed.fingerprint]) == (State.AGREED, State.OPEN)


def test_an_approval_before_the_change_was_judged_agrees_to_nothing() -> None:
    assert set(standing(said("ada", "approved", 1, frozenset())).waiting) == ALL


def test_waivers_of_what_was_agreed_lift_the_block() -> None:
    signed = standing(said("ada", "approved", 1), said("pat", "approved", 2))
    waivers = signed.waivers(NOW, 30)
    assert {w.expires for w in waivers} == {NOW + timedelta(days=30)}
    verdict = decided(policy=VERDICT.policy, waivers=waivers)
    assert verdict.outcome is Outcome.WARN
    assert sign_off(verdict, (), PEOPLE).conclusion is signed.conclusion
    assert all("agreed in a review" in w.reason for w, _ in verdict.waived)


def test_an_override_needs_an_administrator_and_a_reason() -> None:
    for user, reason, lifted in (
        ("root", "outage", True),
        ("ROOT", "outage", True),
        ("root", "  ", False),
        ("ada", "outage", False),
    ):
        found = standing(overrides=[Override(user=user, reason=reason, seen=SEEN)])
        assert (found.conclusion is not Conclusion.ACTION_REQUIRED) is lifted
        assert bool(found.overridden) is lifted
    assert all(
        s.reason == "override by root: outage"
        for s in standing(overrides=[Override(user="root", reason="outage", seen=SEEN)]).standings
    )


def test_an_override_is_for_the_changes_that_were_seen() -> None:
    one = frozenset({DEST.fingerprint})
    found = standing(overrides=[Override(user="root", reason="outage", seen=one)])
    assert {s.fingerprint for s in found.overridden} == one
    assert found.conclusion is Conclusion.ACTION_REQUIRED


def test_where_nobody_in_particular_can_agree_the_check_fails() -> None:
    verdict = decided(policy=Policy(must_agree=()))
    assert sign_off(verdict, [said("ada", "approved", 1)], PEOPLE).conclusion is Conclusion.FAILURE
    lifted = sign_off(
        verdict, (), PEOPLE, overrides=[Override(user="root", reason="outage", seen=asked(verdict))]
    )
    assert lifted.conclusion is Conclusion.NEUTRAL
    assert lifted.overridden


def test_whom_github_does_not_know_is_told() -> None:
    assert sign_off(VERDICT, (), People()).unknown == standing().waiting
    assert standing().unknown == ()


@pytest.mark.parametrize("outcome", ["pass", "could not check"])
def test_without_a_block_there_is_nothing_to_sign(outcome: str) -> None:
    verdict = decided(()) if outcome == "pass" else decided((), could_not_check=["x"])
    found = sign_off(
        verdict, [said("ada", "changes_requested", 1)], PEOPLE, could_not_check=Conclusion.NEUTRAL
    )
    assert found.standings == ()
    assert found.conclusion is (Conclusion.SUCCESS if outcome == "pass" else Conclusion.NEUTRAL)


opinions = st.lists(
    st.builds(
        Opinion,
        user=st.sampled_from(["ada", "bob", "pat", "mallory"]),
        stance=st.sampled_from(Stance),
        number=st.integers(0, 6),
        seen=st.sets(st.sampled_from([*sorted(SEEN), "other"])).map(frozenset),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(history=opinions, data=st.data())
def test_order_and_repetition_of_hearing_do_not_matter(history: list[Opinion], data: st.DataObject) -> None:
    again = data.draw(
        st.permutations(history + data.draw(st.lists(st.sampled_from(history)) if history else st.just([])))
    )
    assert standing(*again) == standing(*history)


@settings(max_examples=300, deadline=None)
@given(history=opinions)
def test_nobody_agrees_who_was_not_asked_and_the_check_is_green_only_when_all_have(
    history: list[Opinion],
) -> None:
    found = standing(*history)
    for each in found.standings:
        if each.state is State.AGREED:
            assert each.by in PEOPLE.of(each.approver)
            latest = [o for o in history if o.user == each.by and o.stance is not Stance.COMMENTED]
            top = max(o.number for o in latest)
            assert any(
                o.number == top and o.stance is Stance.APPROVED and each.fingerprint in o.seen for o in latest
            )
    green = found.conclusion in (Conclusion.NEUTRAL, Conclusion.SUCCESS)
    assert green is (not found.waiting)
    assert green is all(s.state is State.AGREED for s in found.standings)


@settings(max_examples=200, deadline=None)
@given(history=opinions, user=st.sampled_from(["ada", "bob", "pat"]))
def test_a_dismissal_takes_back_what_one_person_agreed_to(history: list[Opinion], user: str) -> None:
    found = standing(*history, said(user, "dismissed", 7))
    assert all(s.by != user for s in found.standings)

"""The policy and the waivers that a pull request is judged by: those of its base branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts_svc.policy import Policies
from contracts_svc.policy_files import POLICY_FILE, WAIVERS_FILE
from contracts_svc.policy_read import read_policy
from contracts_svc.ports import CodeHost
from contracts_svc.waivers import Waiver, read_waivers


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """What a pull request is judged by."""

    policies: Policies = field(default_factory=Policies)
    waivers: tuple[Waiver, ...] = ()


def rulebook(
    texts: Mapping[str, bytes],
    *,
    now: datetime,
    policy_file: str = POLICY_FILE,
    waivers_file: str = WAIVERS_FILE,
) -> Rulebook:
    """The policy and the waivers among these texts (by file name); defaults where there are none.

    Raises UserMistake. A waiver may run as long as this policy says.
    """
    policy, waivers = texts.get(policy_file), texts.get(waivers_file)
    policies = Policies() if policy is None else read_policy(policy, policy_file)
    most = policies.organisation.waiver_days
    found = () if waivers is None else read_waivers(waivers, waivers_file, now=now, most_days=most)
    return Rulebook(policies=policies, waivers=found)


def base_texts(code_host: CodeHost, base: str, head: str, *, now: datetime) -> Mapping[str, bytes]:
    """The policy and the waivers file at the top of the base branch, as far as they are there.

    The head's own files never count: a branch cannot weaken its judge. Where they differ from the
    base's they are read all the same, so that what is wrong in them is told before they are merged.
    Raises UserMistake.
    """
    there, proposed = _texts(code_host, base), _texts(code_host, head)
    if there != proposed:
        rulebook(proposed, now=now)
    return there


def _texts(code_host: CodeHost, commit: str) -> dict[str, bytes]:
    names = (POLICY_FILE, WAIVERS_FILE)
    return {name: text for name, text in code_host.texts(commit, names).items() if name in names}

"""From transitions of incidents to who is told what: the owner, and every stakeholder affected.

Transitions of one run are grouped, so that a team hears once about a dataset however many of its
checks fail. Where a team is reached is what its contract says (ODCS ``support``).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.alerts import Audience, Incident, IncidentState, Notification, Transition
from contracts_svc.impact import channels_of
from contracts_svc.incidents import COULD_NOT_CHECK
from contracts_svc.incidents_background import NOTHING, Background
from contracts_svc.lineage.graph import Consumer, DatasetId, Graph
from contracts_svc.model import Contract
from contracts_svc.routing_reach import Affected, affected
from contracts_svc.routing_words import (
    UNROUTED,
    Message,
    Recipient,
    Story,
    Told,
    for_owner,
    for_stakeholder,
)

__all__ = ["UNROUTED", "Affected", "affected", "notifications"]

DatasetOf = Callable[[str, str], DatasetId]
"""Contract id and table name -> the dataset in the lineage."""

BackgroundOf = Callable[[Incident], Background]
"""An incident -> what is known of it besides what its check found."""


def nothing_known(incident: Incident) -> Background:
    """For those who keep no runs."""
    return NOTHING


_Reached = Mapping[tuple[str, ...], Mapping[Consumer, Affected]]
"""The columns of an incident -> whom they reach."""


def notifications(
    transitions: Iterable[Transition],
    *,
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    now: datetime,
    default_receiver: str = "slack",
    still_open: Sequence[Incident] = (),
    explained: Mapping[str, Sequence[Incident]] = {},
    background: BackgroundOf = nothing_known,
    public_url: str = "",
) -> tuple[Notification, ...]:
    """The messages that these transitions make necessary, openings first, owners before stakeholders.

    One to each owner team and dataset, and one to each stakeholder team and dataset that is wrong, if
    a failing column reaches something of theirs; a team that is both hears as owner. Those that end
    go to whom the same incident reaches now. ``contracts`` is by id. ``default_receiver`` is for
    support entries that name no tool. ``still_open`` are the open incidents that are in no transition:
    without them a message may say that all is over when only a part is. ``explained`` are the open
    incidents further down that an incident (by fingerprint) is the cause of: they are told with it.
    ``background`` is what is known besides; ``public_url`` is where people reach this service.
    That a table could not be checked is told to its owner only: its data may be right. Acknowledging is
    not told.
    """
    tables: defaultdict[tuple[bool, str, str, bool], list[Transition]] = defaultdict(list)
    for transition in transitions:
        over = transition.incident.state is IncidentState.RESOLVED
        acknowledged = transition.incident.state is IncidentState.ACKNOWLEDGED
        if over or transition.incident.state is transition.before or not acknowledged:
            incident = transition.incident
            unchecked = incident.check == COULD_NOT_CHECK
            tables[over, incident.contract, incident.table, unchecked].append(transition)
    route = _Routes(
        contracts, dataset_of, graph, consumers, default_receiver, explained, background, public_url
    )
    return tuple(
        message
        for _, moved in sorted(tables.items(), key=lambda item: item[0])
        for message in _messages(route.story(sorted(moved, key=_worst_first), still_open), now)
    )


@dataclass(frozen=True, slots=True)
class _Routes:
    """What is needed to find out who is concerned."""

    contracts: Mapping[str, Contract]
    dataset_of: DatasetOf
    graph: Graph
    consumers: Sequence[Consumer]
    default_receiver: str
    explained: Mapping[str, Sequence[Incident]]
    background: BackgroundOf
    public_url: str

    def story(self, moved: Sequence[Transition], still_open: Sequence[Incident]) -> Story:
        """All of what happened to one table. ``moved`` are its openings or its endings, worst first."""
        first = moved[0].incident
        contract = self.contracts.get(first.contract)
        dataset = self.dataset_of(first.contract, first.table)
        owner = owner_of(contract, first.contract, self.default_receiver)
        names = {t.incident.fingerprint for t in moved}
        others = tuple(
            i
            for i in still_open
            if (i.contract, i.table) == (first.contract, first.table)
            and i.fingerprint not in names
            and (i.check == COULD_NOT_CHECK) is (first.check == COULD_NOT_CHECK)
        )
        of_all = dict.fromkeys(i.columns for i in (*(t.incident for t in moved), *others))
        reached = {columns: self._reached(columns, contract, first.table, dataset) for columns in of_all}
        told = () if first.check == COULD_NOT_CHECK else self._told(moved, others, reached)
        return Story(
            table=first.table,
            dataset=dataset,
            over=first.state is IncidentState.RESOLVED,
            transitions=tuple(moved),
            owner=owner,
            contract=contract,
            told=tuple(t for t in told if t.recipient.team != owner.team),
            own=next((t.affected for t in told if t.recipient.team == owner.team), ()),
            still_open=others,
            names={c.dataset: c.name for c in self.consumers},
            explained=tuple(i for t in moved for i in self.explained.get(t.incident.fingerprint, ())),
            causes={i.fingerprint: i for i in still_open},
            background=self.background,
            public_url=self.public_url,
        )

    def _reached(
        self, columns: Sequence[str], contract: Contract | None, table: str, dataset: DatasetId
    ) -> dict[Consumer, Affected]:
        stored = [stored_path(contract, table, c) for c in columns]
        return {a.consumer: a for a in affected(stored, dataset, self.graph, self.consumers)}

    def _told(
        self, moved: Sequence[Transition], still_open: Sequence[Incident], reached: _Reached
    ) -> tuple[Told, ...]:
        """Every team that something of these transitions reaches, by name."""
        teams: defaultdict[str, list[Consumer]] = defaultdict(list)
        for consumer in self.consumers:
            teams[team_of(consumer)].append(consumer)
        told: list[Told] = []
        for team, theirs in sorted(teams.items()):
            ways = {columns for columns, who in reached.items() if not who.keys().isdisjoint(theirs)}
            mine = tuple(t for t in moved if t.incident.columns in ways)
            if not mine:
                continue
            wrong = dict.fromkeys(t.incident.columns for t in mine)
            told.append(
                Told(
                    recipient=stakeholder_of(team, theirs, self.default_receiver),
                    affected=_union(theirs, [reached[columns] for columns in wrong]),
                    transitions=mine,
                    still_open=tuple(i for i in still_open if i.columns in ways),
                )
            )
        return tuple(told)


def _messages(story: Story, now: datetime) -> Iterable[Notification]:
    yield _notification(story, Audience.OWNER, story.owner, story.transitions, for_owner(story), now)
    for told in story.told:
        message = for_stakeholder(story, told)
        yield _notification(story, Audience.STAKEHOLDER, told.recipient, told.transitions, message, now)


def _notification(
    story: Story,
    audience: Audience,
    recipient: Recipient,
    transitions: Sequence[Transition],
    message: Message,
    now: datetime,
) -> Notification:
    title, sections = message
    incidents = [t.incident for t in transitions]
    severity = min((i.severity for i in incidents), key=lambda s: s.rank)
    state = IncidentState.RESOLVED if story.over else IncidentState.OPEN
    labels = {
        "severity": severity.value,
        "audience": audience.value,
        "squad": recipient.team,
        "tribe": recipient.tribe,
        "dataset": story.dataset.name,
        "contract": incidents[0].contract,
        "state": state.value,
    }
    sometimes = {
        "domain": story.contract.domain if story.contract else None,
        "tenant": story.contract.tenant if story.contract else None,
        "dimension": incidents[0].evidence.check.dimension,
    }
    labels |= {name: value for name, value in sometimes.items() if value}
    return Notification(
        key=_key(story, audience, recipient, incidents),
        audience=audience,
        team=recipient.team,
        receiver=recipient.receiver,
        channel=recipient.channel,
        url=recipient.url,
        title=title,
        severity=severity,
        sections=sections,
        labels=labels,
        incidents=tuple(i.fingerprint for i in incidents),
        created=now,
    )


def _key(story: Story, audience: Audience, recipient: Recipient, incidents: Iterable[Incident]) -> str:
    """The same for the same people, incidents and state; an incident that came back is another one."""
    parts = [story.over, audience.value, recipient.team, str(story.dataset)]
    each = sorted((i.fingerprint, i.opened.isoformat(), i.reopened, i.severity.value) for i in incidents)
    return hashlib.sha256(json.dumps([*parts, each]).encode()).hexdigest()


def _worst_first(transition: Transition) -> tuple[int, int, str]:
    incident = transition.incident
    return incident.severity.rank, -(incident.evidence.failing or 0), incident.check


# --- whom to tell, and where --------------------------------------------------------------------


def owner_of(contract: Contract | None, contract_id: str, default_receiver: str) -> Recipient:
    """The team that a contract names, and where it says that it is reached."""
    if contract is None:
        return Recipient(team=f"owner of {contract_id}", receiver=UNROUTED, channel="")
    team = contract.team
    name = (team.custom_value("squad") or team.name or team.owner) if team else None
    channel = next(iter(channels_of(contract)), None)
    return Recipient(
        team=name or f"owner of {contract.title}",
        receiver=(channel.tool or default_receiver).lower() if channel else UNROUTED,
        channel=channel.address if channel else "",
        url=channel.url if channel else "",
        tribe=(team.custom_value("tribe") or "") if team else "",
    )


def team_of(consumer: Consumer) -> str:
    """The team that a consumer belongs to, as people call it."""
    return consumer.team or consumer.owner or f"owner of {consumer.name}"


def stakeholder_of(team: str, consumers: Sequence[Consumer], default_receiver: str) -> Recipient:
    """A team downstream, and where it is reached: by the first channel that any of its consumers has."""
    channel = next((c for consumer in consumers for c in consumer.channels), None)
    return Recipient(
        team=team,
        receiver=(channel.tool or default_receiver).lower() if channel else UNROUTED,
        channel=channel.address if channel else "",
        url=channel.url if channel else "",
        tribe=next((c.tribe for c in consumers if c.tribe), ""),
    )


def _union(
    consumers: Sequence[Consumer], findings: Sequence[Mapping[Consumer, Affected]]
) -> tuple[Affected, ...]:
    """What several incidents do to these consumers, one entry each."""
    merged: list[Affected] = []
    for consumer in dict.fromkeys(consumers):
        several = [found[consumer] for found in findings if consumer in found]
        if several:
            whole = any(not a.columns for a in several)
            columns = () if whole else tuple(dict.fromkeys(c for a in several for c in a.columns))
            paths = tuple(dict.fromkeys(p for a in several for p in a.paths))
            merged.append(Affected(consumer=consumer, columns=columns, paths=paths))
    return tuple(merged)


def stored_path(contract: Contract | None, table_name: str, path: str) -> str:
    """A column's path with its names as the data has them, which is how lineage names columns."""
    table = contract.table(table_name) if contract else None
    if table is None:
        return path
    for column in table.columns:
        if any(c.path == path for c in column.walk()):
            return column.stored_name + path.removeprefix(column.path)
    return path

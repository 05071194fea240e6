"""``contracts outbox`` and ``contracts silence``"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Any

from contracts_svc import app, app_alerts, settings
from contracts_svc.cli.output import count, paint, print_json
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.flows.deliver import resend as resend_message
from contracts_svc.ports_outbox import Kept, MessageState
from contracts_svc.ports_store import Actor
from contracts_svc.routes.durations import duration
from contracts_svc.routes.silences import Silence, silence

AT_ONCE = 100


def outbox_list(state: str, after: int, format: str) -> ExitCode:
    """Messages, and how each stands."""
    store = app.store(settings.load())
    found = store.messages(MessageState(state) if state != "all" else None, after=after, limit=AT_ONCE)
    counts = {s.value: n for s, n in store.outbox_counts().items()}
    if format == "json":
        print_json(ExitCode.OK, {"counts": counts, "messages": [_message_json(k) for k in found]})
        return ExitCode.OK
    for kept in found:
        notification = kept.message.notification
        where = " ".join(filter(None, (notification.receiver, notification.channel)))
        colour = "red" if kept.state is MessageState.DEAD else "green"
        print(f"{kept.number} {paint(kept.state.value, colour)} {kept.message.key[:12]} {notification.title}")
        print(f"    to {notification.team} by {kept.message.receiver} ({where or 'no channel'})")
        if kept.reason:
            print(f"    {kept.reason}")
    print(", ".join(f"{n} {name}" for name, n in counts.items() if n) or "the outbox is empty")
    if len(found) == AT_ONCE:
        print(f"more: --after {found[-1].number}")
    return ExitCode.OK


def outbox_resend(keys: Sequence[str], every: bool, format: str) -> ExitCode:
    """Send dead letters again."""
    loaded = settings.load()
    store, routes = app.store(loaded), app_alerts.routes(loaded)
    if every == bool(keys):
        raise UserMistake.of("nothing, or two things, are asked for", "name dead letters, or write --all")
    wanted = list(keys)
    if every:
        wanted = [k.message.key for k in store.messages(MessageState.DEAD, limit=10_000)]
    queued: list[str] = []
    passed_over: list[dict[str, str]] = []
    for key in wanted:
        try:
            queued.append(resend_message(store, key, app.SystemClock(), routes).message.key)
        except UserMistake as error:
            if not every:
                raise
            passed_over.append({"key": key, "reason": error.problems[0].message})
    if format == "json":
        print_json(ExitCode.OK, {"queued": queued, "passed_over": passed_over})
        return ExitCode.OK
    for each in passed_over:
        print(f"not sent again: {each['key'][:12]}: {each['reason']}")
    print(f"{count(len(queued), 'message')} will be sent again")
    return ExitCode.OK


def outbox_send(format: str) -> ExitCode:
    """Send what is due now, once."""
    loaded = settings.load()
    report = app_alerts.sender(loaded, app.store(loaded)).step()
    if format == "json":
        print_json(ExitCode.OK, {"sent": report.sent, "later": report.later, "dead": report.dead})
    else:
        print(f"{report.sent} sent, {report.later} to be tried again, {report.dead} given up")
    return ExitCode.OK


def silence_add(matchers: Sequence[str], reason: str, lasts: str, author: str, format: str) -> ExitCode:
    """Keep alerts back for a while."""
    now = app.SystemClock().now()
    length = duration(lasts)
    if length is None:
        raise UserMistake.of(f"{lasts!r} is no duration", "write for instance 2h, 1d or 1w")
    who, ends = author or me(), now + length
    made = silence(matchers, author=who, reason=reason, begins=now, ends=ends, now=now)
    loaded = settings.load()
    app_alerts.acting(loaded, app.store(loaded)).silence(made, actor(author))
    if format == "json":
        print_json(ExitCode.OK, _silence_json(made))
    else:
        print(f"{made.id}: silenced until {made.ends:%Y-%m-%d %H:%M %Z}")
    return ExitCode.OK


def silence_list(format: str) -> ExitCode:
    """Silences in force, or to come."""
    found = app.store(settings.load()).silences(app.SystemClock().now())
    if format == "json":
        print_json(ExitCode.OK, {"silences": [_silence_json(s) for s in found]})
        return ExitCode.OK
    for each in found:
        print(f"{each.id} {', '.join(map(str, each.matchers))}")
        print(f"    until {each.ends:%Y-%m-%d %H:%M %Z}, by {each.author}: {each.reason}")
    if not found:
        print("nothing is silenced")
    return ExitCode.OK


def silence_end(silence_id: str, format: str) -> ExitCode:
    """End a silence."""
    loaded = settings.load()
    ended = app_alerts.acting(loaded, app.store(loaded)).end_silence(silence_id, actor(""))
    if format == "json":
        print_json(ExitCode.OK, {"id": silence_id, "ended": ended})
    else:
        print(f"{silence_id} {'is over now' if ended else 'was over already'}")
    return ExitCode.OK


def _message_json(kept: Kept) -> dict[str, Any]:
    notification = kept.message.notification
    return {
        "number": kept.number,
        "key": kept.message.key,
        "state": kept.state.value,
        "receiver": kept.message.receiver,
        "kind": notification.receiver,
        "channel": notification.channel,
        "team": notification.team,
        "title": notification.title,
        "created": kept.message.created.isoformat(),
        "settled": kept.settled.isoformat() if kept.settled else None,
        "reason": kept.reason or None,
    }


def _silence_json(found: Silence) -> dict[str, Any]:
    return {
        "id": found.id,
        "matchers": [str(m) for m in found.matchers],
        "author": found.author,
        "reason": found.reason,
        "begins": found.begins.isoformat(),
        "ends": found.ends.isoformat(),
    }


def me() -> str:
    """Who runs the command. Raises UserMistake when the system knows no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UserMistake.of("nobody is named who does it", "write --author") from None


def actor(author: str) -> Actor:
    """Who runs the command, or is named, for the audit."""
    return Actor(who=author or me(), where="cli")

"""Wires the GitHub App: its settings, webhooks in, and the loops that do the work."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from contracts_svc import links
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.github.config import HubConfig, read_hub_config
from contracts_svc.github.names import RepositoryName
from contracts_svc.odcs.yaml_text import MAX_BYTES
from contracts_svc.policy import Policies
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.github.hub import GitHubHub
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.api.hub import HubDesk
    from contracts_svc.api.service import Service
    from contracts_svc.flows.hub import HubParts
    from contracts_svc.flows.hub_worker import HubWorker
    from contracts_svc.flows.stored_lineage import StoredLineage
    from contracts_svc.routes.tree import RouteFile

_Made = TypeVar("_Made")
_SHORTEST_SECRET = 16
_LARGEST_KEY = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubApp:
    """One GitHub App of a service. ``steps`` are to be called again and again, each from a thread of its
    own: given the time, each does a piece of work and says how much there was (0: nothing to do)."""

    desk: HubDesk
    parts: HubParts
    steps: Mapping[str, Callable[[datetime], int]]


def github_app(
    settings: Settings,
    store: DatabaseStore,
    *,
    known: StoredLineage | None = None,
    routes: Callable[[], RouteFile] | None = None,
    policies: Policies | None = None,
    workers: int = 2,
) -> GitHubApp | None:
    """The GitHub App of the settings; None where none is set. Raises UserMistake with every mistake.

    ``known`` is the lineage of the store, ``routes`` and ``policies`` are those of the settings, where the
    process has them already.
    """
    if settings.github_app_id is None:
        _alone(settings)
        return None
    from contracts_svc import app
    from contracts_svc.api.hub import HubDesk
    from contracts_svc.app_alerts import Alerting
    from contracts_svc.flows.hub_inbox import Inbox
    from contracts_svc.flows.hub_reconcile import Reconciler

    problems: list[Problem] = []
    config = _gathered(problems, lambda: _config(settings)) or HubConfig()
    hub = _gathered(problems, lambda: _hub(settings))
    secrets = _gathered(problems, lambda: _secrets(settings)) or ()
    base = _gathered(problems, lambda: _public_url(settings)) or ""
    if problems or hub is None:
        raise UserMistake(problems)
    parts = _parts(
        settings,
        store,
        hub,
        config,
        base,
        known=known or app.lineage(store),
        routes=routes or Alerting(settings, os.environ).routes,
        policies=policies if policies is not None else app.policies(settings),
    )
    steps = {f"github-{n}": _worker(parts).step for n in range(1, workers + 1)}
    steps["github-reconcile"] = Reconciler(store=store).step
    inbox = Inbox(store=store, config=config, app_id=settings.github_app_id)
    desk = HubDesk(store=store, inbox=inbox, config=config, secrets=secrets)
    return GitHubApp(desk=desk, parts=parts, steps=steps)


def _hub(settings: Settings) -> GitHubHub:
    from contracts_svc import app
    from contracts_svc.adapters.github.hub import GitHubHub
    from contracts_svc.adapters.github.tokens import App

    return GitHubHub(
        App(id=str(settings.github_app_id), private_key=_private_key(settings)),
        settings.github_api_url,
        proxy=settings.github_proxy,
        clock=app.SystemClock().now,
    )


def _parts(
    settings: Settings,
    store: DatabaseStore,
    hub: GitHubHub,
    config: HubConfig,
    base: str,
    *,
    known: StoredLineage,
    routes: Callable[[], RouteFile],
    policies: Policies,
) -> HubParts:
    from contracts_svc import app
    from contracts_svc.flows.hub import HubParts

    def link_of(repository: RepositoryName, number: int) -> str:
        return base + links.pull(str(repository), number) if base else ""

    return HubParts(
        store=store,
        hub=hub,
        lineage=known,
        read=app.reader(),
        config=config,
        policies=policies,
        patterns=app.pattern_inclusion,
        derive=app.schema_import(),
        link_of=link_of,
        web=web_of(settings.github_api_url),
        routes=routes,
    )


def with_github(settings: Settings, service: Service) -> tuple[Service, GitHubApp | None]:
    """The service with the GitHub App of the settings, where one is set, which works by the service's own
    lineage, route file and policies. Raises UserMistake."""
    from contracts_svc.adapters.store.store import DatabaseStore

    assert isinstance(service.store, DatabaseStore)
    app = github_app(
        settings,
        service.store,
        known=service.lineage,
        routes=service.routes,
        policies=service.policies,
    )
    return (replace(service, github=app.desk) if app else service), app


def web_of(api_url: str) -> str:
    """Where people see repositories, by the address of the API."""
    parts = urlsplit(api_url)
    if parts.hostname == "api.github.com":
        return "https://github.com"
    host = parts.netloc.removeprefix("api.") if (parts.hostname or "").endswith(".ghe.com") else parts.netloc
    return f"{parts.scheme}://{host}"


def _worker(parts: HubParts) -> HubWorker:
    import structlog

    from contracts_svc.flows.hub_worker import HubWorker

    log = structlog.get_logger("contracts_svc.github")

    def told(said: str, facts: Mapping[str, object]) -> None:
        (log.warning if "cause" in facts else log.info)(said, **facts)

    # Never the same again: an attempt is told from others by it.
    name = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
    return HubWorker(parts=parts, name=name, log=told)


def _gathered(problems: list[Problem], make: Callable[[], _Made]) -> _Made | None:
    try:
        return make()
    except UserMistake as error:
        problems += error.problems
        return None


def _alone(settings: Settings) -> None:
    """Raises UserMistake when something of an App is set, but not which one."""
    given = settings.github_private_key_file, settings.github_private_key, settings.github_webhook_secret
    if any(bool(value) for value in given):
        raise UserMistake.of(
            "CONTRACTS_GITHUB_APP_ID is not set, and other settings of a GitHub App are",
            "set it to the number that the App's page shows, or take the others out",
        )


def _config(settings: Settings) -> HubConfig:
    if settings.github_file is None:
        return HubConfig()
    return read_hub_config(
        _bytes(settings.github_file, "CONTRACTS_GITHUB_FILE", MAX_BYTES), str(settings.github_file)
    )


def _private_key(settings: Settings) -> str:
    given = settings.github_private_key.get_secret_value().strip()
    file = settings.github_private_key_file
    if bool(given) == bool(file):
        raise UserMistake.of(
            "of CONTRACTS_GITHUB_PRIVATE_KEY_FILE and CONTRACTS_GITHUB_PRIVATE_KEY, exactly one must be set",
            "name the PEM file that GitHub made for the App",
        )
    if file is None:
        # Many ways of setting a variable cannot hold lines.
        return given.replace("\\n", "\n")
    return _bytes(file, "CONTRACTS_GITHUB_PRIVATE_KEY_FILE", _LARGEST_KEY).decode("utf-8", "replace")


def _secrets(settings: Settings) -> tuple[str, ...]:
    named = (settings.github_webhook_secret, settings.github_webhook_secret_old)
    secrets = tuple(s.get_secret_value() for s in named if s.get_secret_value())
    if not settings.github_webhook_secret.get_secret_value():
        raise UserMistake.of(
            "CONTRACTS_GITHUB_WEBHOOK_SECRET is not set: nobody could tell GitHub's webhooks from others",
            "make one (`openssl rand -hex 32`), and set it here and on the App's page",
        )
    if any(len(secret) < _SHORTEST_SECRET for secret in secrets):
        raise UserMistake.of(
            f"the webhook secret is shorter than {_SHORTEST_SECRET} characters, and can be guessed",
            "make one with `openssl rand -hex 32`",
        )
    return secrets


def _public_url(settings: Settings) -> str:
    parts = urlsplit(settings.public_url)
    if settings.public_url and (parts.scheme not in ("https", "http") or not parts.hostname or parts.query):
        raise UserMistake.of(
            f"CONTRACTS_PUBLIC_URL is no address: {settings.public_url[:100]}", "write https://HOST"
        )
    return settings.public_url.rstrip("/")


def _bytes(path: Path, setting: str, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            found = stream.read(most + 1)
    except OSError as error:
        raise UserMistake.of(
            f"{path} cannot be read: {error.strerror}", f"see the setting {setting}"
        ) from None
    if len(found) > most:
        raise UserMistake.of(f"{path} is larger than {most:,} bytes", f"see the setting {setting}")
    return found

"""``contracts serve``"""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from dataclasses import replace

import structlog

from contracts_svc import app, app_people, app_work, settings, tracing
from contracts_svc.api.app import create_app
from contracts_svc.api.limits import Budget
from contracts_svc.api.logs import for_people, log_as_json, log_for_people
from contracts_svc.api.wire import protocol
from contracts_svc.app_github import with_github
from contracts_svc.cli.serve_banner import MOST_COUNTED, banner
from contracts_svc.errors import ExitCode, UserMistake

GRACE_SECONDS = 20
"""How long requests under way may take once the server is told to stop."""
_LINES_WAITING = 512


def run(host: str | None, port: int | None, demo: bool) -> ExitCode:
    """Serve until told to stop. Raises UserMistake, CouldNotCheck before the first request."""
    import uvicorn
    from prometheus_client import CollectorRegistry

    loaded = settings.load()
    host = host if host is not None else loaded.host
    if demo and not is_loopback(host):
        raise UserMistake.of(
            f"--demo asks nobody for a token, and {host} can be reached from other machines",
            "listen at 127.0.0.1, or leave --demo out and make tokens with `contracts token create`",
        )
    end_traces = tracing.configure()
    store, registry = app.store(loaded), CollectorRegistry()
    people = app_people.PeoplePart(loaded, app.service(loaded, everyone_may=demo, opened=store))
    service, github = with_github(loaded, people.service)
    process = None
    if loaded.embedded:
        process = app_work.scheduled(
            loaded, registry, store, known=service.lineage, alerting=people.alerting, github=github
        )
        service = replace(service, not_ready=process.not_ready)
    listening = _listen(host, port if port is not None else loaded.port)
    people_read = for_people(loaded.log_format)
    (log_for_people if people_read else log_as_json)()
    budget = Budget(loaded.rate_per_second, max(1, round(4 * loaded.rate_per_second)))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(service, budget, registry),
            http=protocol(),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # Who runs behind a proxy says so by FORWARDED_ALLOW_IPS; else nobody may claim an address.
            proxy_headers=True,
        )
    )
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listening.getsockname()[1]}"
    worker = process.worker.name if process is not None else ""
    if people_read:
        known = len(store.list_contracts(limit=MOST_COUNTED))
        print(banner(url, loaded, demo=demo, worker=worker, contracts=known), file=sys.stderr)
    else:
        tokens = "none needed" if demo else "required"
        structlog.get_logger("contracts.serve").info(
            "serving", url=url, tokens=tokens, worker=worker or "none"
        )
    # uvicorn ends gracefully, and then raises the signal that it was told to end with anew, for whoever
    # handled it before: that is us, so that it is an end like any other.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(int(ExitCode.OK)))
    if process is not None:
        process.start()
    try:
        people.start()
        server.run(sockets=[listening])
    finally:
        listening.close()
        people.stop()
        back = process.stop() if process is not None else 0
        store.close()
        end_traces()
        structlog.get_logger("contracts.serve").info("stopped", handed_back=back)
    return ExitCode.OK


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost may mean any."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_LINES_WAITING)
    except OSError as error:
        raise UserMistake.of(
            f"the service cannot listen at {host}, port {port}: {error.strerror}",
            "name another with --host and --port, or end what listens there",
        ) from error
    return found

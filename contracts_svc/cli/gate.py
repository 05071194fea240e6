"""``contracts gate``"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from contracts_svc import app, settings
from contracts_svc.cli.output import print_json
from contracts_svc.errors import CouldNotCheck, ExitCode, UserMistake
from contracts_svc.findings import Severity
from contracts_svc.render.gate import gate_code, gate_json

_SECONDS = 30
_TOKEN_HINTS = {
    401: "the service does not know the token in CONTRACTS_SERVICE_TOKEN: it is of another service, "
    "cut off, revoked or out of date; make one with `contracts token create --owner NAME --scope viewer`",
    403: "the token in CONTRACTS_SERVICE_TOKEN needs the scope viewer",
}


def run(dataset: str, severity: str, max_age: float | None, format: str) -> ExitCode:
    """Ask, and end with what the answer means."""
    loaded = settings.load()
    body = (
        _of_service(loaded, dataset, severity, max_age)
        if loaded.service_url
        else _of_database(loaded, dataset, severity, max_age)
    )
    code = gate_code(body["open"], body["unknown"])
    if format == "json":
        print_json(code, body)
        return code
    word = "open" if body["open"] else "nobody can tell" if body["unknown"] else "closed"
    print(f"{dataset}: {word}")
    for reason in body["reasons"]:
        print(f"    {reason}")
    return code


def _of_database(
    loaded: settings.Settings, dataset: str, severity: str, hours: float | None
) -> dict[str, Any]:
    from contracts_svc.flows.gate import gate_of

    store = app.store(loaded)
    try:
        found = gate_of(
            store,
            dataset,
            "",
            now=app.SystemClock().now(),
            closes=Severity(severity),
            max_age=None if hours is None else timedelta(hours=hours),
        )
    finally:
        store.close()
    return gate_json(found)


def _of_service(
    loaded: settings.Settings, dataset: str, severity: str, hours: float | None
) -> dict[str, Any]:
    import httpx

    asked: dict[str, str] = {"severity": severity} | ({} if hours is None else {"max_age": str(hours)})
    token = loaded.service_token.get_secret_value()
    url = f"{loaded.service_url.rstrip('/')}/api/v1/datasets/{quote(dataset, safe='')}/gate"
    what = f"the gate of {dataset} at {loaded.service_url}"
    try:
        answer = httpx.get(
            url,
            params=asked,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_SECONDS,
        )
        body = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CouldNotCheck(what, f"{type(error).__name__}: {error}", "see CONTRACTS_SERVICE_URL") from error
    if answer.status_code == 200:
        return dict(body)
    told = body if isinstance(body, dict) else {}
    detail = str(told.get("detail", ""))
    if answer.status_code in (404, 422):
        hints = [str(m.get("hint", "")) for m in told.get("mistakes") or [] if isinstance(m, dict)]
        hint = next((h for h in hints if h), "give a contract's id or a table's name")
        raise UserMistake.of(detail or f"no dataset {dataset!r}", hint)
    hint = _TOKEN_HINTS.get(answer.status_code, "") if token else "set CONTRACTS_SERVICE_TOKEN"
    raise CouldNotCheck(what, detail or f"status {answer.status_code}", hint)

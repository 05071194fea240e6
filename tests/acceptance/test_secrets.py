"""No secret is in a log, an answer or the API's description: planted in every setting, looked for everywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from contracts_svc.api.login import CALLBACK
from contracts_svc.settings import Bucket, Settings
from tests.acceptance.test_api import orders
from tests.fixtures_oidc import CLIENT_ID, code_and_state, provider_on_loopback
from tests.serving import Server
from tests.support import wait_for


def secret_fields(model: type[Settings] | type[Bucket]) -> Iterator[str]:
    return (name for name, field in model.model_fields.items() if field.annotation is SecretStr)


MAIL_PASSWORD = "planted-mail-x1"


def planted() -> dict[str, str]:
    """Every secret setting of the environment -> something that stands nowhere else."""
    found = {f"CONTRACTS_{name.upper()}": f"planted-{name}-x1" for name in secret_fields(Settings)}
    # The tests' database has no password; one that has is looked at below.
    del found["CONTRACTS_DATABASE_URL"]
    key = RSAKey.generate_key(2048).as_pem(private=True)
    assert isinstance(key, bytes)
    found |= {"CONTRACTS_GITHUB_PRIVATE_KEY": key.decode()}
    return found | {"CONTRACTS_EMAIL_URL": f"mailtos://user:{MAIL_PASSWORD}@127.0.0.1?from=a@example.com"}


def in_any_form(secret: str) -> set[str]:
    """A secret as it is, and as it may be written into headers; of many lines, the longest alone."""
    line = max(secret.splitlines(), key=len)
    encoded = base64.b64encode(line.encode()).decode().rstrip("=")
    return {line, encoded[4:-4]}


def test_no_secret_is_in_a_log_an_answer_or_the_description(tmp_path: Path) -> None:
    secrets = planted()
    assert len(secrets) >= 10
    buckets = {name: f"planted-bucket-{name}-x1" for name in secret_fields(Bucket)}
    with provider_on_loopback(datetime.now(UTC), "http://127.0.0.1:8080/auth/callback") as provider:
        provider.client.secret = secrets["CONTRACTS_OIDC_CLIENT_SECRET"]
        server = Server(
            tmp_path,
            f"sqlite:///{tmp_path}/contracts.db",
            **secrets,
            CONTRACTS_S3_BUCKETS=json.dumps({"raw": buckets}),
            CONTRACTS_OIDC_ISSUER=provider.issuer,
            CONTRACTS_OIDC_CLIENT_ID=CLIENT_ID,
            CONTRACTS_PUBLIC_URL="http://127.0.0.1:8080",
            CONTRACTS_GITHUB_APP_ID="7",
            CONTRACTS_RATE_PER_SECOND="1000",
            CONTRACTS_GITHUB_API_URL="http://127.0.0.1:9",
            CONTRACTS_S3_ENDPOINT="http://127.0.0.1:9",
        )
        told: dict[str, str] = {}
        try:
            person = httpx.Client(base_url=server.url, timeout=60)
            sent_to = person.get("/login").headers["location"]
            back = code_and_state(httpx.get(sent_to).headers["location"])
            # The provider tells what it was sent: that is no reason to pass it on.
            provider.answer = lambda path: (
                (
                    400,
                    b'{"error": "invalid_grant", "error_description": "%s"}'
                    % provider.client.secret.encode(),
                )
                if path == "/token"
                else None
            )
            told["a login that the provider refuses"] = person.get(CALLBACK, params=back).text
            provider.answer = lambda path: None
            logged_in = person.get(CALLBACK, params=back)
            assert logged_in.status_code == 303, logged_in.text
            kept = dict(person.cookies)
            told["me"] = person.get("/api/v1/me").text
            client = server.client("admin")
            told |= answers(client)
            ran = wait_for_a_check(client)
            told["a check of a source that cannot be reached"] = ran
            code, listed = server.run("session", "list", "--format", "json")
            assert (code, [s["name"] for s in json.loads(listed)["sessions"]]) == (0, ["ada@example.com"])
            told["who is logged in"] = listed
            assert server.run("session", "end", "ada@example.com") == (
                0,
                "1 session of ada@example.com ended\n",
            )
            assert person.get("/api/v1/me").status_code == 401
            told["commands"] = "".join(server.run(*command)[1] for command in COMMANDS)
        finally:
            server.stop()
        told["log"] = server.log.read_text()
        token = client.headers["authorization"].removeprefix("Bearer ")
        session = kept["contracts_session"]
        for name, secret in (
            secrets
            | buckets
            | {"the token": token, "the session": session, "code": back["code"], "mail": MAIL_PASSWORD}
        ).items():
            where = [what for what, text in told.items() for form in in_any_form(secret) if form in text]
            assert where == [], name
        assert "contracts.api" in told["log"]


COMMANDS = (("token", "list"), ("session", "list"), ("rules",), ("db", "status"), ("outbox", "list"))


def answers(client: httpx.Client) -> dict[str, str]:
    """What every endpoint says, of something sensible and of nonsense."""
    contract = orders(
        "1.0.0",
        extra="servers: [{server: lake, type: s3, location: 's3://lake/orders/*.parquet', format: parquet}]",
    )
    assert client.post("/api/v1/contracts", content=contract).status_code == 201
    document = client.get("/api/v1/openapi.json")
    found = {"the description": document.text, "metrics": client.get("/metrics").text}
    for path, methods in document.json()["paths"].items():
        filled = path.replace("{contract_id}", "orders").replace("{name}", "orders")
        for method in methods:
            if (method, path) == ("post", "/api/v1/contracts/{contract_id}/retire"):
                continue
            for body in (b"", b"{}", b'{"a": [', b"\xff"):
                answer = client.request(method.upper(), filled, content=body)
                assert answer.status_code != 500, answer.text
                found[f"{method} {path} {body!r}"] = answer.text + str(answer.headers)
    return found


def wait_for_a_check(client: httpx.Client) -> str:
    """A check of data whose place does not answer."""
    client.post("/api/v1/contracts/orders/runs", json={})

    def over() -> bool:
        job = client.get("/api/v1/jobs").json()["items"]
        return not job or any(j["error"] for j in job)

    wait_for(over, "the check")
    return client.get("/api/v1/jobs").text + client.get("/api/v1/incidents").text


@pytest.mark.parametrize(
    "command", [("db", "status"), ("token", "list"), ("serve", "--port", "0")], ids=" ".join
)
def test_the_password_of_a_database_that_is_not_there_is_not_told(
    tmp_path: Path,
    command: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    from contracts_svc.cli.main import app

    monkeypatch.chdir(tmp_path)
    address = "postgresql://contracts:planted-password@127.0.0.1:9/contracts"
    done = CliRunner().invoke(app, list(command), env={"CONTRACTS_DATABASE_URL": address})
    said = done.output + "".join(capfd.readouterr()) + repr(done.exception)
    assert done.exit_code != 0
    assert "planted-password" not in said

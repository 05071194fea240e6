"""The GitHub App of a service against the stand-in of GitHub, with a clock that the test sets."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from contracts_svc.adapters.github.hub import GitHubHub
from contracts_svc.adapters.github.tokens import App
from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.access import hash_of, new_secret
from contracts_svc.api.app import create_app
from contracts_svc.api.hub import HubDesk
from contracts_svc.api.limits import Budget
from contracts_svc.api.service import Service
from contracts_svc.flows.hub import HubParts
from contracts_svc.flows.hub_inbox import Inbox
from contracts_svc.flows.hub_reconcile import Reconciler
from contracts_svc.flows.hub_worker import HubWorker
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.github.config import HubConfig, read_hub_config
from contracts_svc.github.signature import signature
from contracts_svc.ports_hub_store import WorkState
from contracts_svc.ports_store import SERVICE, Token
from tests.fixtures_github import SHOP
from tests.fixtures_store import read_contract
from tests.github_stand_in import Repository, StandIn

US = "contracts[bot]"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRET, OLDER = "a secret of webhooks", "the secret before it"
LAKE = "s3://lake"
KEY = RSAKey.generate_key(2048)
CONFIG = b"""
people:
  finance: {users: [ada], teams: [octo/finance]}
  logistics: {users: [lin]}
administrators: {users: [root]}
"""


def contract(name: str, *columns: str, version: str = "1.0.0", team: str = "", extra: str = "") -> str:
    """``columns``: names, or whole flow mappings."""
    rows = "".join(
        f"      - {c if c.startswith('{') else f'{{name: {c}, logicalType: integer, physicalType: BIGINT}}'}\n"
        for c in columns
    )
    return f"""\
apiVersion: v3.1.0
kind: DataContract
id: {name}
name: {name}
version: {version}
status: active
{extra}team: {{name: {team or name + "-team"}}}
support: [{{channel: "#{team or name}", tool: slack}}]
servers: [{{server: lake, type: s3, location: "s3://lake/{name}/*.parquet", format: parquet}}]
schema:
  - name: {name}
    properties:
{rows}"""


def reads(target: str, **columns: str) -> dict[str, Any]:
    """A job that makes each column of ``target`` from ``table.column``."""

    def field(text: str) -> dict[str, Any]:
        name, _, column = text.rpartition(".")
        how = [{"type": "DIRECT", "subtype": "IDENTITY"}]
        return {"namespace": LAKE, "name": name, "field": column, "transformations": how}

    sources = sorted({text.rpartition(".")[0] for text in columns.values()})
    lineage = {"fields": {c: {"inputFields": [field(s)]} for c, s in columns.items()}}
    return {
        "eventTime": (NOW - timedelta(days=1)).isoformat(),
        "producer": "https://example.com/p",
        "run": {"runId": "00000000-0000-0000-0000-000000000001"},
        "job": {"namespace": "etl", "name": f"make {target}"},
        "inputs": [{"namespace": LAKE, "name": s} for s in sources],
        "outputs": [{"namespace": LAKE, "name": target, "facets": {"columnLineage": lineage}}],
    }


ORDERS = contract("orders", "id", "amount", "note", team="checkout")
BROKEN = contract("orders", "id", "note", version="2.0.0", team="checkout")
REVENUE = contract("revenue", "id", "total", team="finance")
STOCK = contract("stock", "id", "sold", team="logistics")
FILES = {"orders.odcs.yaml": ORDERS, "revenue.odcs.yaml": REVENUE, "stock.odcs.yaml": STOCK}
AFTER = {**FILES, "orders.odcs.yaml": BROKEN}
LINEAGE = (
    reads("revenue", id="orders.id", total="orders.amount"),
    reads("stock", id="orders.id", sold="orders.amount"),
)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class HubWorld:
    """A service that is a GitHub App, installed for the repository octo/shop as installation 9."""

    def __init__(
        self,
        hub: StandIn,
        store: DatabaseStore,
        config: HubConfig | bytes = CONFIG,
        clock: Clock | None = None,
    ) -> None:
        self.hub, self.store = hub, store
        self.clock = clock or Clock()
        self.hub.now = self.clock.time
        self.config = read_hub_config(config, "github.yaml") if isinstance(config, bytes) else config
        hub.app_key = KEY
        hub.installations.setdefault(9, frozenset({SHOP}))
        hub.teams.setdefault("octo/finance", ["fay"])
        self.lineage = StoredLineage(store, take, read_parsed)
        app = App(id="7", private_key=KEY.as_pem(private=True).decode())
        self.on_sleep: Callable[[], None] = lambda: None
        """What happens when a worker waits for GitHub: it may die there."""
        self.github = GitHubHub(app, hub.base_url, clock=self.clock.now, sleep=self.sleep)
        self.parts = HubParts(
            store=store,
            hub=self.github,
            lineage=self.lineage,
            read=read_contract,
            config=self.config,
            link_of=lambda repository, number: f"https://contracts.example/{repository}/{number}",
        )
        self.log: list[tuple[str, Mapping[str, object]]] = []
        self.worker = HubWorker(
            parts=self.parts, name="w", log=lambda said, facts: self.log.append((said, facts))
        )
        inbox = Inbox(store=store, config=self.config, app_id=7)
        desk = HubDesk(store=store, inbox=inbox, config=self.config, secrets=(SECRET, OLDER))
        service = Service(
            store=store, lineage=self.lineage, read=read_contract, clock=self.clock, github=desk
        )
        self.client = TestClient(
            create_app(service, Budget(1, 5)), "http://127.0.0.1", raise_server_exceptions=False
        )
        self.deliveries = 0

    # --- time ---

    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.time += timedelta(seconds=seconds)
        self.hub.now = self.clock.time

    def sleep(self, seconds: float) -> None:
        """A worker waits."""
        self.on_sleep()
        self.wait(seconds)

    def work(self) -> int:
        """Do all that can be done now; how many pieces of work."""
        done = 0
        while self.worker.step(self.clock.now()):
            done += 1
            self.wait(1)
        return done

    def settle(self) -> None:
        """Let time go by until nothing waits any more."""
        for _ in range(1_000):
            self.work()
            waiting = [r for r in self.store.open_work() if r.state is not WorkState.FAILED]
            if not waiting:
                return
            self.wait(5)
        raise AssertionError("work never ends")

    # --- webhooks ---

    def send(
        self, event: str, body: bytes, *, delivery: str = "", secret: str = SECRET, **headers: str
    ) -> Any:
        """A webhook, as GitHub sends it."""
        self.deliveries += 1
        given = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or f"00000000-0000-0000-0000-{self.deliveries:012}",
            "X-Hub-Signature-256": signature(body, secret),
            "Content-Type": "application/json",
        }
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return self.client.post("/github/webhook", content=body, headers=given | named)

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        """A webhook that is taken."""
        answer = self.send(event, json.dumps(payload).encode())
        assert answer.status_code == 202, answer.text

    def common(self, repository: Repository, sender: str = "mona") -> dict[str, Any]:
        """What every payload has."""
        return {
            "repository": {
                "full_name": repository.name,
                "private": repository.private,
                "default_branch": "main",
            },
            "installation": {"id": 9},
            "sender": {"login": sender},
        }

    def pull_payload(self, repository: Repository, number: int, action: str, **more: Any) -> dict[str, Any]:
        """The payload of an event about a pull request."""
        pull = repository.pulls[number]
        head = None if pull.head_repository is None else {"full_name": pull.head_repository}
        told = {
            "number": number,
            "state": pull.state,
            "merged": pull.merged,
            "user": {"login": pull.author},
            "head": {"sha": pull.head_sha, "ref": pull.head_ref, "repo": head},
            "base": {"sha": pull.base_sha, "ref": pull.base_ref, "repo": {"full_name": repository.name}},
        }
        return self.common(repository) | {"action": action, "pull_request": told} | more

    # --- people and tokens ---

    def token(self, *scopes: str, tenant: str = "") -> str:
        """A token of the API."""
        secret = new_secret()
        token = Token(
            id=secret[-12:],
            owner=f"{scopes[0]}-token",
            scopes=scopes,
            created=NOW,
            expires=NOW + timedelta(days=400),
            tenant=tenant,
        )
        self.store.put_token(token, hash_of(secret), SERVICE)
        return secret

    def call(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """A call of the API."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.request(method, f"/api/v1{path}", headers=headers, json=body)

    def know(self, events: Iterable[Any], tenant: str = "") -> None:
        """Lineage that the service hears of."""
        self.lineage.take(list(events), tenant=tenant, now=NOW)

    def reconcile(self) -> None:
        """What is done every ten minutes."""
        Reconciler(store=self.store).step(self.clock.now())
        self.settle()


class Shop:
    """A repository whose pull requests, pushes and reviews are told to the service by webhooks."""

    def __init__(self, world: HubWorld, repository: Repository) -> None:
        self.world, self.repository = world, repository

    def push_main(self, files: Mapping[str, Any], *, tell: bool = True, parent: str = "") -> str:
        """Push to the default branch."""
        ref = b"refs/heads/main"
        refs = self.repository.git.refs
        before = refs[ref].decode() if ref in refs else "0" * 40  # type: ignore[operator,index]
        parents = [parent or before] if before.strip("0") else []
        head = self.repository.commit(files, *parents, branch="main")
        if tell:
            payload = {"ref": "refs/heads/main", "before": before, "after": head, "commits": []}
            self.world.tell("push", self.world.common(self.repository) | payload)
        return head

    def install(self) -> None:
        """The App is installed."""
        name = self.repository.name
        payload = {"action": "created", "installation": {"id": 9}, "repositories": [{"full_name": name}]}
        self.world.tell("installation", payload)

    def open(self, files: Mapping[str, Any], *, tell: bool = True, **more: Any) -> int:
        """Open a pull request with these files."""
        main = self.repository.git.refs[b"refs/heads/main"].decode()  # type: ignore[index]
        number = self.repository.open_pull(self.repository.commit(files, main), **more)
        if tell:
            self.tell(number, "opened")
        return number

    def tell(self, number: int, action: str, **more: Any) -> None:
        """Tell what happened to a pull request."""
        self.world.tell("pull_request", self.world.pull_payload(self.repository, number, action, **more))

    def push(self, number: int, files: Mapping[str, Any], *parents: str, tell: bool = True) -> str:
        """Push to the branch of a pull request; gives the head from before."""
        pull = self.repository.pulls[number]
        before = pull.head_sha
        pull.head_sha = self.repository.commit(files, *(parents or (before,)))
        if tell:
            self.tell(number, "synchronize", before=before)
        return before

    def review(
        self, number: int, user: str, state: str, *, tell: bool = True, commit: str = "", body: str = ""
    ) -> int:
        """Submit a review."""
        place = self.repository.review(number, user, state, commit, at=self.world.clock.now(), body=body)
        if tell:
            self.tell_review(number, place, "submitted")
        return place

    def dismiss(self, number: int, place: int, *, tell: bool = True) -> None:
        """Dismiss a review."""
        self.repository.dismiss(number, place)
        if tell:
            self.tell_review(number, place, "dismissed")

    def tell_review(self, number: int, place: int, action: str) -> None:
        """Tell of a review."""
        payload = self.world.pull_payload(self.repository, number, action)
        self.world.tell("pull_request_review", payload | {"review": self.repository.reviews[number][place]})

    def press(self, number: int, user: str) -> None:
        """Press the button on the last check run."""
        head = self.repository.pulls[number].head_sha
        (run, *_) = reversed(self.repository.runs_on(head))
        told = {
            "id": run["id"],
            "head_sha": head,
            "name": run["name"],
            "external_id": run["external_id"],
            "app": {"id": 7},
        }
        payload = {
            "action": "requested_action",
            "check_run": told,
            "requested_action": {"identifier": "accept"},
        }
        self.world.tell("check_run", self.world.common(self.repository, user) | payload)

    def merge(self, number: int, *, tell: bool = True) -> str:
        """Merge a pull request: its files are those of the default branch now."""
        pull = self.repository.pulls[number]
        git = self.repository.git
        before = git.refs[b"refs/heads/main"].decode()  # type: ignore[index]
        made: Any = git.object_store[pull.head_sha.encode()].copy()  # type: ignore[index]
        made.parents = [before.encode(), pull.head_sha.encode()]
        git.object_store.add_object(made)
        git.refs[b"refs/heads/main"] = made.id  # type: ignore[index]
        pull.state, pull.merged = "closed", True
        if tell:
            self.tell(number, "closed")
            payload = {"ref": "refs/heads/main", "before": before, "after": made.id.decode(), "commits": []}
            self.world.tell("push", self.world.common(self.repository) | payload)
        found: str = made.id.decode()
        return found

    def run(self, number: int) -> dict[str, Any]:
        """The check run that GitHub shows of a pull request."""
        return self.repository.runs_on(self.repository.pulls[number].head_sha)[-1]

    def comment(self, number: int) -> str:
        """Our one comment on a pull request; empty: there is none."""
        every = self.repository.comments.values()
        ours = [
            c["body"]
            for c in every
            if c["user"]["login"] == US and c["issue_url"].endswith(f"/issues/{number}")
        ]
        assert len(ours) <= 1, ours
        return ours[0] if ours else ""


def shuffled(random_: random.Random, values: Iterable[Any]) -> list[Any]:
    """The values in another order."""
    found = list(values)
    random_.shuffle(found)
    return found

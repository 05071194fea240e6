"""What a pull request cannot do: read what is not its own, steer a report, or name whom it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts_svc.github.names import RepositoryName
from contracts_svc.render.markdown import escape
from tests.core.test_render_verdict import NASTY, markup
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_store import memory_store
from tests.github_stand_in import LINK, MODULE, Repository, StandIn
from tests.hub_world import AFTER, BROKEN, FILES, LINEAGE, ORDERS, HubWorld, Shop, contract, reads

CONFIG = b"""
repositories:
  - {match: octo/*, tenant: shop}
  - {match: evil/*, tenant: evil}
people:
  finance: {users: [ada], teams: [octo/finance]}
  logistics: {users: [lin]}
"""
SECRET_FILE = {"secretfile.odcs.yaml": "x: secretfile"}
SECRETS = ("revenue", "stock", "finance", "logistics", "secretfile")


def of_tenant(files: dict[str, str], tenant: str) -> dict[str, str]:
    return {
        path: text.replace("status: active\n", f"status: active\ntenant: {tenant}\n")
        for path, text in files.items()
    }


class Two:
    """The repositories of two tenants, of whom one is curious."""

    def __init__(self, hub: StandIn, shop: Repository) -> None:
        hub.installations[9] = frozenset({"octo/shop", "octo/other", "evil/lake"})
        self.world = HubWorld(hub, memory_store(), config=CONFIG)
        lake = hub.repository("evil/lake", private=True)
        shop.private = True
        self.shop, self.evil = Shop(self.world, shop), Shop(self.world, lake)
        self.shop.push_main(of_tenant(FILES, "shop") | SECRET_FILE, tell=False)
        self.evil.push_main({"README.md": "x"}, tell=False)
        for repo in (self.shop, self.evil):
            repo.install()
        self.world.settle()
        self.world.know(LINEAGE, tenant="shop")

    def told(self, number: int) -> str:
        """Everything that GitHub was told of a pull request of the curious one, and the API."""
        repository = self.evil.repository
        api = self.world.call(
            "GET", f"/github/pulls/evil/lake/{number}", self.world.token("viewer", tenant="evil")
        )
        comments = [c["body"] for c in repository.comments.values()]
        return json.dumps(
            [list(repository.runs.values()), list(repository.annotations.values()), comments, api.json()]
        )


@pytest.fixture
def two(hub: StandIn, shop: Repository) -> Two:
    return Two(hub, shop)


class TestTenants:
    def test_the_lineage_of_another_tenant_is_not_told(self, two: Two) -> None:
        """By the same id, place and columns, with the tenant of its own, another's, and none."""
        for tenant in ("evil", "shop", ""):
            old, new = (
                {"orders.odcs.yaml": t if not tenant else of_tenant({"x": t}, tenant)["x"]}
                for t in (ORDERS, BROKEN)
            )
            base = two.evil.repository.commit(old, branch="main")
            number = two.evil.repository.open_pull(two.evil.repository.commit(new, base))
            two.evil.tell(number, "opened")
            two.world.settle()
            told = two.told(number)
            assert [word for word in SECRETS if word in told] == [], tenant
            if tenant != "evil":
                assert "this repository is of tenant 'evil'" in told
        # The same change where it belongs: there it breaks two.
        number = two.shop.open(of_tenant(AFTER, "shop") | SECRET_FILE)
        two.world.settle()
        assert "2 consumers" in two.shop.comment(number)

    def test_the_contract_of_another_tenant_cannot_be_taken_over(self, two: Two) -> None:
        head = two.evil.push_main(of_tenant({"orders.odcs.yaml": BROKEN}, "evil"))
        two.world.settle()
        (run,) = two.evil.repository.runs_on(head)
        assert run["conclusion"] == "failure"
        assert "the id 'orders' cannot be used" in json.dumps(two.evil.repository.annotations)
        assert [c.tenant for c in two.world.store.versions("orders")] == ["shop"]
        two.evil.push_main({"README.md": "gone"})
        two.world.settle()
        assert [c.id for c in two.world.store.contracts()] == ["orders", "revenue", "stock"]

    def test_nor_that_of_another_repository_of_the_same_tenant(self, two: Two, hub: StandIn) -> None:
        other = Shop(two.world, hub.repository("octo/other", private=True))
        head = other.push_main(of_tenant({"x.odcs.yaml": BROKEN}, "shop"))
        two.world.settle()
        assert "comes from another repository" in json.dumps(other.repository.annotations)
        assert other.repository.runs_on(head)[0]["conclusion"] == "failure"
        other.push_main({"README.md": "gone"})
        two.world.settle()
        assert [c.id for c in two.world.store.contracts()] == ["orders", "revenue", "stock"]

    def test_crafted_ids_names_and_paths(self, two: Two, hub: StandIn) -> None:
        base = of_tenant({"a.odcs.yaml": contract("mine", "id", "amount")}, "evil")
        two.evil.push_main(base)
        two.world.settle()
        two.world.log.clear()
        hub.calls.clear()
        ids = ("../octo/shop/orders", "orders\\u0000", "shop/orders", "orders'; DROP TABLE contracts; --", "%2e%2e/orders",
               "urn:shop:orders", "s3://lake/orders", "orders ", "ORDERS")  # fmt: skip
        files: dict[str, Any] = dict(base)
        for n, name in enumerate(ids):
            text = contract(f"x{n}", "id").replace(f"id: x{n}\n", f'id: "{name}"\n')
            files |= of_tenant({f"c{n}.odcs.yaml": text}, "evil")
        files |= {
            "link.odcs.yaml": (LINK, b"../../octo/shop/secretfile.odcs.yaml"),
            "etc.odcs.yaml": (LINK, b"/etc/passwd"),
            "module.odcs.yaml": (MODULE, two.shop.repository.git.refs[b"refs/heads/main"]),  # type: ignore[index]
            "bomb.odcs.yaml": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{c}: &{c} [{','.join([f'*{p}'] * 10)}]\n"
                for p, c in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "refs.odcs.yaml": of_tenant({"x": contract("refs", "id")}, "evil")["x"].replace(
                "status: active",
                "status: active\nauthoritativeDefinitions: [{type: x, url: 'file:///etc/passwd'}]",
            ),
        }
        number = two.evil.open(files)
        two.world.settle()
        told = two.told(number)
        assert [word for word in (*SECRETS, "root:x:") if word in told] == []
        assert two.evil.run(number)["status"] == "completed"
        reached = {"/".join(c.split(" ")[1].split("/")[1:4]) for c in hub.calls if " /repos/" in c}
        assert reached == {"repos/evil/lake"}
        assert [f for s, f in two.world.log if "cause" in f] == []
        # Merged, none of them is anybody else's.
        two.evil.merge(number)
        two.world.settle()
        tenants = {c.id: c.tenant for c in two.world.store.contracts()}
        assert {i for i, t in tenants.items() if t == "shop"} == {"orders", "revenue", "stock"}

    def test_webhooks_that_name_what_they_should_not(self, two: Two) -> None:
        for name in (
            "evil/../octo",
            "evil/lake/../../octo/shop",
            "../..",
            "octo",
            "octo/shop?x=1",
            "octo/shop#",
            "öcto/shop",
            "a" * 300,
        ):
            payload = two.world.pull_payload(
                two.evil.repository, two.evil.repository.open_pull("a" * 40), "opened"
            )
            payload["repository"]["full_name"] = name
            assert two.world.send("pull_request", json.dumps(payload).encode()).status_code == 422, name
        assert two.world.store.open_work() == ()

    def test_a_token_reaches_the_one_repository(self, two: Two, hub: StandIn) -> None:
        two.evil.open({"README.md": "y"})
        two.world.settle()
        assert {g.repositories for g in hub.tokens.values() if g.login.startswith("contracts")} == {
            frozenset({"octo/shop"}),
            frozenset({"evil/lake"}),
        }

    def test_the_page_of_a_pull_request_is_for_ones_own_tenant(self, two: Two) -> None:
        number = two.shop.open(of_tenant(AFTER, "shop") | SECRET_FILE)
        two.world.settle()
        ours, theirs = (two.world.token("viewer", tenant=t) for t in ("shop", "evil"))
        page = two.world.client.get(f"/pulls/octo/shop/{number}", headers={"Authorization": f"Bearer {ours}"})
        for said in (f"octo/shop#{number}", "blocked", "Must agree", "column-removed", "breaks"):
            assert said in page.text, said
        hidden = two.world.client.get(
            f"/pulls/octo/shop/{number}", headers={"Authorization": f"Bearer {theirs}", "Accept": "text/html"}
        )
        assert (hidden.status_code, "There is no such thing" in hidden.text) == (404, True)

    def test_the_api_shows_pull_requests_of_ones_own_tenant(self, two: Two) -> None:
        number = two.shop.open(of_tenant(AFTER, "shop") | SECRET_FILE)
        two.world.settle()
        two.shop.tell(number, "reopened")
        paths = [
            ("GET", f"/github/pulls/octo/shop/{number}", None),
            ("POST", f"/github/pulls/octo/shop/{number}/check", None),
            ("POST", f"/github/pulls/octo/shop/{number}/override", {"reason": "because I can do it"}),
        ]
        ours, theirs = (two.world.token("admin", tenant=t) for t in ("shop", "evil"))
        for method, path, body in paths:
            assert two.world.call(method, path, theirs, body).status_code == 404
            assert two.world.call(method, path, "", body).status_code == 401
        assert two.world.call("GET", "/github/work", theirs).json() == []
        assert len(two.world.call("GET", "/github/work", ours).json()) == 1
        assert two.world.call("GET", paths[0][1], ours).json()["report"]["outcome"] == "BLOCK"
        for strange in ("octo/..%2f..%2fshop", "unknown/shop", "octo/sh op"):
            assert two.world.call("GET", f"/github/pulls/{strange}/1", ours).status_code == 404
        assert (
            two.world.call("GET", "/github/work", two.world.token("editor", tenant="shop")).status_code == 403
        )


class TestPublic:
    @pytest.mark.parametrize(
        ("config", "named"),
        [(b"", False), (b"repositories: [{match: octo/*, public_names: all}]", True)],
    )
    def test_who_reads_elsewhere_is_told_only_where_it_may_be(
        self, config: bytes, named: bool, hub: StandIn, shop: Repository
    ) -> None:
        hub.installations[9] = frozenset({"octo/shop", "octo/other"})
        world = HubWorld(hub, memory_store(), config=config)
        repo, private = Shop(world, shop), Shop(world, hub.repository("octo/other", private=True))
        repo.push_main({"orders.odcs.yaml": ORDERS, "stock.odcs.yaml": FILES["stock.odcs.yaml"]}, tell=False)
        private.push_main({"revenue.odcs.yaml": FILES["revenue.odcs.yaml"]}, tell=False)
        repo.install()
        private.install()
        world.settle()
        world.know(LINEAGE)
        # The pull request says itself that the private contract is its own: that does not count.
        after = {
            "orders.odcs.yaml": BROKEN,
            "stock.odcs.yaml": FILES["stock.odcs.yaml"],
            "mine.odcs.yaml": FILES["revenue.odcs.yaml"],
        }
        number = repo.open(after)
        world.settle()
        run = repo.run(number)
        assert run["conclusion"] == "action_required"
        told = json.dumps([run["output"], run["annotations"], repo.comment(number)])
        assert "stock" in told
        assert ("finance" in told) is named
        assert ("1 consumer elsewhere" in told) is not named

    def test_why_it_could_not_be_checked_is_not_told_in_public(self, hub: StandIn, shop: Repository) -> None:
        world = HubWorld(hub, memory_store(), config=b"")
        repo = Shop(world, shop)
        repo.push_main(FILES, tell=False)
        repo.install()
        world.settle()
        number = repo.open(AFTER)
        hub.fault("/compare/", 502, times=10_000, message="secretsource")
        world.settle()
        assert "secretsource" not in json.dumps(list(repo.repository.runs.values()))
        assert repo.run(number)["conclusion"] == "failure"


STRINGS = [*NASTY, "%%{init: {'theme': 'x'}}%%", '"] --> evil["x', "click n0 href 'http://evil'", "end\nsubgraph x", "#quot;#35;",
           "::error::x", "\u202egnp.exe", "\x1b[31m", "<img src=x onerror=alert(1)>", "-->", "<!-- contracts-svc: verdict -->"]  # fmt: skip


def test_no_text_of_a_contract_steers_what_is_told(hub: StandIn, shop: Repository) -> None:
    """Over 40 strings, each as a column, a table, a team, a consumer's name and a description."""
    assert len(STRINGS) >= 50
    shop.private = True
    world = HubWorld(hub, memory_store(), config=b"")
    repo = Shop(world, shop)
    files, events = {}, []
    written = [json.dumps(s, ensure_ascii=s.isascii()).replace("\u202e", "\\u202e") for s in STRINGS]
    columns = [f"{{name: {w}, logicalType: integer, description: {w}}}" for w in written]
    for n, text in enumerate(written):
        reader = contract(f"r{n}", "id").replace(f"name: r{n}\nversion", f"name: {text}\nversion")
        files[f"r{n}.odcs.yaml"] = reader.replace(f"{{name: r{n}-team}}", f"{{name: {text}}}")
        events.append(reads(f"r{n}", id=f"nasty.{STRINGS[n]}"))
    before = {**files, "nasty.odcs.yaml": contract("nasty", "id", *columns)}
    after = {**files, "nasty.odcs.yaml": contract("nasty", "id", version="2.0.0")}
    repo.push_main(before, tell=False)
    repo.install()
    world.settle()
    world.know(events)
    number = repo.open(after)
    world.settle()
    run = repo.run(number)
    assert run["conclusion"] == "action_required", run["output"]["title"] + str(world.log[-3:])
    assert len(run["annotations"]) >= len(set(STRINGS)) - 3
    comment = repo.comment(number)
    assert comment.count("<!-- contracts-svc: verdict -->") == 1
    plain = {"heading_open", "heading_close", "inline", "text", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
             "list_item_open", "list_item_close", "strong_open", "strong_close", "fence", "table_open", "table_close", "thead_open",
             "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
             "softbreak", "link_open", "link_close", "code_inline", "html_block"}  # fmt: skip
    for markdown in (comment.partition("\n")[2], run["output"]["summary"], run["output"]["text"]):
        assert markup(markdown) <= plain - ({"html_block"} if "<details" not in markdown else set())
        assert "](http://evil" not in markdown
    mermaid = run["output"]["text"].partition("```mermaid\n")[2].partition("\n```")[0].splitlines()
    shapes = ("graph LR", "  n", "  class", "  subgraph", "  end", "  linkStyle")
    assert mermaid
    assert all(line.startswith(shapes) for line in mermaid)
    assert not any("click" in line and '"' not in line for line in mermaid)
    for note in run["annotations"]:
        assert not any(c in note["message"] + note["title"] for c in "\r\x1b\u202e\x00")
    for message in world.store.messages(limit=1_000):
        shown = message.message.notification
        assert not any(c in shown.title for c in "\r\n\x1b\u202e\x00")
    assert escape("x")


def test_what_is_run_of_a_branch_is_nothing(hub: StandIn, shop: Repository, tmp_path: Any) -> None:
    """Code beside the contracts is not even read."""
    shop.private = True
    world = HubWorld(hub, memory_store(), config=b"")
    repo = Shop(world, shop)
    repo.push_main(FILES, tell=False)
    repo.install()
    world.settle()
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').write('x')\n"
    names = ("conftest.py", "setup.py", "checks/evil.py", "sitecustomize.py", "contracts_svc/__init__.py")
    number = repo.open({**AFTER, **dict.fromkeys(names, code), "evil.sql": f"COPY (SELECT 1) TO '{mark}'"})
    hub.calls.clear()
    world.settle()
    assert repo.run(number)["status"] == "completed"
    assert not mark.exists()
    # The new contract and the SQL file.
    assert hub.count("GET", "/git/blobs/") == 2
    assert world.store.repository(RepositoryName.parse("octo/shop"))

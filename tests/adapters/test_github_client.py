"""How calls to GitHub behave when it is slow, busy, broken or has had enough of us."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from joserfc.jwk import RSAKey

from contracts_svc.adapters.github.client import GitHubClient, Uncertain
from contracts_svc.adapters.github.hub import GitHubHub
from contracts_svc.adapters.github.pulls import WORKFLOW, login_of
from contracts_svc.adapters.github.tokens import App, GivenToken
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.names import RepositoryName
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP, TOKEN
from tests.github_description import wrong_answer, wrong_call
from tests.github_stand_in import NOW, Repository, StandIn

AT = f"/repos/{SHOP}"


@pytest.fixture
def pull(shop: Repository) -> str:
    """The address of a pull request."""
    shop.commit({"a": "1"}, branch="main")
    return f"{AT}/pulls/{shop.open_pull(shop.commit({'a': '2'}))}"


class TestPassingFailures:
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_reads_are_tried_again(
        self, status: int, pull: str, client: GitHubClient, hub: StandIn, waits: list[float]
    ) -> None:
        hub.fault("/pulls/", status, times=3)
        assert client.get(pull)["number"] == 1
        assert (waits, len(hub.calls)) == ([1, 2, 4], 4)

    def test_but_not_for_ever(
        self, pull: str, client: GitHubClient, hub: StandIn, waits: list[float]
    ) -> None:
        hub.fault("/pulls/", 502, times=1_000)
        with pytest.raises(CouldNotCheck) as told:
            client.get(pull)
        assert told.value.retryable
        assert "GitHub answered 502" in told.value.cause
        assert (len(hub.calls), sum(waits)) == (6, 31)

    def test_a_write_is_not_repeated_blindly(
        self, pull: str, client: GitHubClient, hub: StandIn, shop: Repository
    ) -> None:
        hub.fault("POST", 502, executed=True)
        with pytest.raises(Uncertain):
            client.post(f"{AT}/issues/1/comments", {"body": "x"})
        assert (hub.count("POST"), len(shop.comments)) == (1, 1)

    def test_a_change_that_may_be_done_twice_is(
        self, pull: str, client: GitHubClient, hub: StandIn, shop: Repository
    ) -> None:
        comment = shop.say(1, "me", "x")
        hub.fault("PATCH", 502, executed=True)
        client.patch(f"{AT}/issues/comments/{comment}", {"body": "y"}, again=True)
        assert (hub.count("PATCH"), shop.comments[comment]["body"]) == (2, "y")

    def test_nobody_there(self, waits: list[float]) -> None:
        with (
            GitHubClient(GivenToken("t"), "http://127.0.0.1:9", sleep=waits.append) as client,
            pytest.raises(CouldNotCheck, match="was not reached"),
        ):
            client.get("/user")
        assert len(waits) == 5

    def test_an_answer_that_is_no_json(
        self, pull: str, client: GitHubClient, hub: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "tests.github_stand_in._json",
            lambda status, body, headers: __import__("fastapi").Response("<html>", 200),
        )
        with pytest.raises(CouldNotCheck, match="cannot be read"):
            client.get(pull)


class TestRateLimits:
    def test_secondary_waits_as_long_as_it_is_told(
        self, pull: str, client: GitHubClient, hub: StandIn, waits: list[float]
    ) -> None:
        hub.fault(
            "/pulls/", 403, headers={"Retry-After": "17"}, message="You have exceeded a secondary rate limit."
        )
        hub.fault("/pulls/", 429, headers={"Retry-After": "3"})
        assert client.get(pull)["number"] == 1
        assert waits == [17, 3]

    def test_a_write_that_was_refused_was_not_done(
        self, pull: str, client: GitHubClient, hub: StandIn, waits: list[float], shop: Repository
    ) -> None:
        hub.fault("POST", 403, headers={"Retry-After": "5"})
        client.post(f"{AT}/issues/1/comments", {"body": "x"})
        assert (waits, len(shop.comments)) == ([5], 1)

    def test_abuse_without_a_time_waits_a_minute(
        self, pull: str, client: GitHubClient, hub: StandIn, waits: list[float]
    ) -> None:
        hub.fault("/pulls/", 403, message="You have triggered an abuse detection mechanism.")
        assert client.get(pull)["number"] == 1
        assert waits == [60]

    def test_a_long_wait_is_left_to_the_queue(
        self, pull: str, client: GitHubClient, hub: StandIn, waits: list[float]
    ) -> None:
        hub.remaining = 0
        with pytest.raises(CouldNotCheck, match="rate limit is used up") as told:
            client.get(pull)
        assert (told.value.retryable, waits, len(hub.calls)) == (True, [], 1)

    def test_what_has_not_changed_is_not_counted(self, pull: str, client: GitHubClient, hub: StandIn) -> None:
        before = hub.remaining
        answers = [client.get_kept(pull) for _ in range(5)]
        assert (answers[0], before - hub.remaining) == (answers[-1], 1)

    def test_what_has_changed_is_told(self, pull: str, client: GitHubClient, shop: Repository) -> None:
        client.get_kept(pull)
        shop.pulls[1].state = "closed"
        assert client.get_kept(pull)["state"] == "closed"


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "words", "retryable"),
        [
            (401, "give a token", False),
            (403, "give a token", False),
            (404, "may this token see it", False),
            (410, "may this token", False),
            (422, "422", False),
            (301, "moved", False),
            (307, "moved", False),
        ],
    )
    def test_each_has_its_way_out(
        self, status: int, words: str, retryable: bool, pull: str, client: GitHubClient, hub: StandIn
    ) -> None:
        hub.fault(
            "/pulls/",
            status,
            headers={"Location": f"{hub.base_url}/repos/octo/secret/pulls/1"} if status < 400 else {},
        )
        with pytest.raises(CouldNotCheck) as told:
            client.get(pull)
        assert words in f"{told.value.cause} {told.value.hint}"
        assert (told.value.retryable, len(hub.calls)) == (retryable, 1)

    def test_messages_hold_no_token_and_nothing_that_steers(
        self, pull: str, client: GitHubClient, hub: StandIn
    ) -> None:
        hub.fault("/pulls/", 422, message="no\x1b[31m\r\n::error::owned" + "x" * 5_000)
        with pytest.raises(CouldNotCheck) as told:
            client.get(pull)
        assert TOKEN not in str(told.value)
        assert "\x1b" not in told.value.cause
        assert "\n" not in told.value.cause
        assert len(told.value.cause) < 300


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        ["", "ftp://x", "https://", "http://ghe.example/api/v3", "https://a:b@x/", "https://x/?a=b", "//x"],
    )
    def test_what_is_none(self, address: str) -> None:
        with pytest.raises(UserMistake):
            GitHubClient(GivenToken("t"), address)

    def test_an_enterprise_server_has_a_path_before_it(self, hub: StandIn, pull: str) -> None:
        hub.prefix = "/api/v3"
        with GitHubClient(GivenToken(TOKEN), hub.base_url + "/api/v3/") as client:
            assert client.get(pull)["number"] == 1

    def test_a_proxy_of_the_environment_is_used(
        self, hub: StandIn, pull: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with (
            GitHubClient(GivenToken(TOKEN), hub.base_url, sleep=lambda s: None) as client,
            pytest.raises(CouldNotCheck, match="was not reached"),
        ):
            client.get(pull)
        assert hub.calls == []

    @pytest.mark.parametrize("token", ["", "a b", "a\nb", "é"])
    def test_a_token_that_is_none(self, token: str) -> None:
        with pytest.raises(UserMistake) as told:
            GivenToken(token)
        assert not token or token not in str(told.value)

    def test_a_token_does_not_show(self) -> None:
        assert "secret" not in repr(GivenToken("secret"))
        assert "secret" not in repr(App(id="1", private_key="secret"))


class TestInstallations:
    @pytest.fixture
    def app(self, hub: StandIn) -> App:
        key = RSAKey.generate_key(2048)
        hub.app_key = key
        hub.installations[9] = frozenset({SHOP, "octo/secret"})
        return App(id="7", private_key=key.as_pem(private=True).decode())

    @pytest.fixture
    def connected(self, app: App, hub: StandIn) -> Iterator[GitHubClient]:
        name = RepositoryName.parse(SHOP)
        with GitHubClient.of_app(
            app, 9, name, hub.base_url, clock=lambda: hub.now, sleep=lambda s: None
        ) as made:
            yield made

    def tokens_made(self, hub: StandIn) -> int:
        return hub.count("POST /app/installations/9/access_tokens")

    def test_one_token_for_many_calls(self, connected: GitHubClient, hub: StandIn, pull: str) -> None:
        for _ in range(3):
            connected.get(pull)
        assert self.tokens_made(hub) == 1

    def test_a_new_one_shortly_before_it_ends(self, connected: GitHubClient, hub: StandIn, pull: str) -> None:
        connected.get(pull)
        hub.now = NOW + timedelta(minutes=59)
        connected.get(pull)
        assert (self.tokens_made(hub), hub.count("/pulls/")) == (2, 2)

    def test_a_new_one_when_it_was_revoked(self, connected: GitHubClient, hub: StandIn, pull: str) -> None:
        connected.get(pull)
        for grant in hub.tokens.values():
            grant.expires = hub.now
        assert connected.get(pull)["number"] == 1
        assert (self.tokens_made(hub), hub.count("/pulls/")) == (2, 3)

    def test_but_only_once_for_a_call(self, connected: GitHubClient, hub: StandIn, pull: str) -> None:
        hub.fault("/pulls/", 401, times=100, message="Bad credentials")
        with pytest.raises(CouldNotCheck, match="401"):
            connected.get(pull)
        assert hub.count("/pulls/") == 2

    def test_its_tokens_reach_one_repository_alone(
        self, connected: GitHubClient, hub: StandIn, pull: str
    ) -> None:
        hub.repository("octo/secret", private=True)
        connected.get(pull)
        with pytest.raises(CouldNotCheck, match="404"):
            connected.get("/repos/octo/secret/pulls/1")
        assert [g.repositories for t, g in hub.tokens.items() if t != TOKEN] == [frozenset({SHOP})]

    def test_an_app_that_was_removed(self, connected: GitHubClient, hub: StandIn, pull: str) -> None:
        hub.installations.clear()
        with pytest.raises(CouldNotCheck, match="is the App still installed") as told:
            connected.get(pull)
        assert not told.value.retryable

    def test_a_key_that_is_none(self, hub: StandIn, pull: str) -> None:
        name = RepositoryName.parse(SHOP)
        app = App(id="7", private_key="-----BEGIN RSA PRIVATE KEY-----\nnot a key\n")
        with (
            GitHubClient.of_app(app, 9, name, hub.base_url) as client,
            pytest.raises(UserMistake, match="private key"),
        ):
            client.get(pull)


def test_whom_a_token_speaks_for(hub: StandIn, client: GitHubClient) -> None:
    assert login_of(client) == WORKFLOW
    hub.tokens[TOKEN].login, hub.tokens[TOKEN].has_user = "deploy-bot", True
    assert login_of(client) == "deploy-bot"


def test_the_description_tells_wrong_calls_and_answers() -> None:
    """What the other tests lean on can fail."""
    assert wrong_call("GET", "/repos/a/b/no-such", {}, None)
    assert wrong_call("GET", "/repos/a/b/pulls/1/reviews", {"per_pag": "1"}, None)
    assert wrong_call("POST", "/repos/a/b/check-runs", {}, {"name": "x"})
    assert wrong_call("POST", "/repos/a/b/check-runs", {}, {"name": "x", "head_sha": 5})
    assert wrong_call("POST", "/repos/a/b/issues/1/comments", {}, {"text": "x"})
    assert wrong_call("GET", "/repos/a/b/pulls/1", {}, {"x": 1})
    assert not wrong_call("POST", "/repos/a/b/issues/1/comments", {}, {"body": "x"})
    assert wrong_answer("GET", "/repos/a/b/git/blobs/x", 200, {"sha": 1})
    assert httpx.URL("http://x/a%2Fb").raw_path == b"/a%2Fb"


class TestProxy:
    """Calls go through the proxy of the settings, those by which an App signs in too."""

    @pytest.fixture
    def proxied(self, hub: StandIn) -> Iterator[tuple[str, list[str]]]:
        """A proxy that notes where it was asked to go."""
        asked: list[str] = []

        class Proxy(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                length = int(self.headers.get("Content-Length", 0))
                kept = {
                    k: v for k, v in self.headers.items() if k.lower() not in ("host", "proxy-connection")
                }
                answer = httpx.request(
                    self.command, self.path, headers=kept, content=self.rfile.read(length), trust_env=False
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
        server.server_close()

    def test_through_it(self, hub: StandIn, pull: str, proxied: tuple[str, list[str]]) -> None:
        proxy, asked = proxied
        key = RSAKey.generate_key(2048)
        hub.app_key, hub.installations[9] = key, frozenset({SHOP})
        app = App(id="7", private_key=key.as_pem(private=True).decode())
        made = GitHubHub(app, hub.base_url, proxy=proxy, clock=lambda: hub.now)
        with made.open(RepositoryName.parse(SHOP), 9) as site:
            assert site.host.pull(1).number == 1
        paths = [path.removeprefix(hub.base_url) for path in asked]
        assert paths == ["/app", "/app/installations/9/access_tokens", pull]

    def test_one_that_is_away(self, hub: StandIn) -> None:
        with (
            GitHubClient(
                GivenToken(TOKEN), hub.base_url, proxy="http://127.0.0.1:9", sleep=lambda s: None
            ) as client,
            pytest.raises(CouldNotCheck, match="not reached"),
        ):
            client.get("/user")
        assert hub.calls == []

"""A GitHub on loopback: real git repositories, pull requests, checks, comments, reviews and its limits.

It answers in GitHub's documented shapes (an example of its description, with the facts put in), and
notes every call that is not as documented: a test fails for them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvicorn
from dulwich.graph import find_merge_base
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo
from fastapi import FastAPI, Request, Response

from tests.github_description import example, wrong_answer, wrong_call

FILE, LINK, MODULE, FOLDER = 0o100644, 0o120000, 0o160000, 0o040000
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
LONGEST = 65_535


class Refused(Exception):
    """An answer other than success."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        self.body = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(status),
            **more,
        }


@dataclass
class Grant:
    """What a token may do: ``repositories`` None is all of them."""

    login: str
    repositories: frozenset[str] | None = None
    expires: datetime = NEVER
    has_user: bool = False


@dataclass
class Fault:
    """An answer instead of the right one, ``times`` times. ``executed``: after doing what was asked."""

    match: str
    status: int
    times: int = 1
    executed: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Server Error"


@dataclass
class Pull:
    """A pull request."""

    number: int
    base_ref: str
    head_sha: str
    base_sha: str
    author: str
    head_repository: str | None
    head_ref: str = "slim"
    state: str = "open"
    merged: bool = False
    asked: list[str] = field(default_factory=list)
    """Who was asked for a review: logins, and teams behind an @."""


class Repository:
    """A real git repository, with what GitHub keeps beside it."""

    def __init__(self, name: str, folder: Path, *, private: bool = False) -> None:
        folder.mkdir(parents=True)
        self.name, self.private = name, private
        self.git = Repo.init_bare(str(folder))
        self.pulls: dict[int, Pull] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.annotations: dict[int, list[dict[str, Any]]] = {}
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.time = 1_700_000_000

    def commit(
        self, files: Mapping[str, bytes | str | tuple[int, bytes]], *parents: str, branch: str = ""
    ) -> str:
        """A commit with these files; a pair is a mode and a content (or an id, for a submodule)."""
        root: dict[str, Any] = {}
        for path, content in files.items():
            *folders, name = path.split("/")
            place = root
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = (
                content
                if isinstance(content, tuple)
                else (FILE, content.encode() if isinstance(content, str) else content)
            )
        made = Commit()
        made.tree = self._tree(root)
        made.parents = [p.encode() for p in parents]  # type: ignore[misc]
        made.author = made.committer = b"Mona <mona@example.com>"
        self.time += 60
        made.author_time = made.commit_time = self.time
        made.author_timezone = made.commit_timezone = 0
        made.message = b"change\n"
        self.git.object_store.add_object(made)
        if branch:
            self.git.refs[f"refs/heads/{branch}".encode()] = made.id  # type: ignore[index]
        return made.id.decode()

    def _tree(self, entries: Mapping[str, Any]) -> bytes:
        tree = Tree()
        for name, entry in entries.items():
            if isinstance(entry, dict):
                tree.add(name.encode(), FOLDER, self._tree(entry))  # type: ignore[arg-type]
            elif entry[0] == MODULE:
                tree.add(name.encode(), MODULE, entry[1])
            else:
                blob = Blob.from_string(entry[1])
                self.git.object_store.add_object(blob)
                tree.add(name.encode(), entry[0], blob.id)
        self.git.object_store.add_object(tree)
        found: bytes = tree.id
        return found

    def open_pull(self, head: str, *, base: str = "main", author: str = "mona", fork: str | None = "") -> int:
        """A pull request; ``fork`` is the repository that it comes from (None: one that is gone)."""
        number = len(self.pulls) + 1
        tip = self.git.refs[f"refs/heads/{base}".encode()].decode()  # type: ignore[index]
        self.pulls[number] = Pull(number, base, head, tip, author, self.name if fork == "" else fork)
        self.reviews[number] = []
        return number

    def review(
        self, number: int, user: str, state: str, commit: str = "", at: datetime | None = None, body: str = ""
    ) -> int:
        """A submitted review; gives its place in the list."""
        entry = example("pull-request-review")
        entry |= {
            "id": 100 + len(self.reviews[number]),
            "state": state.upper(),
            "body": body,
            "commit_id": commit or self.pulls[number].head_sha,
        }
        entry["user"]["login"] = user
        if at is not None:
            entry["submitted_at"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        self.reviews[number].append(entry)
        return len(self.reviews[number]) - 1

    def dismiss(self, number: int, place: int) -> None:
        """Dismiss a review: it keeps its id."""
        self.reviews[number][place]["state"] = "DISMISSED"

    def say(self, number: int, login: str, body: str) -> int:
        """A comment by somebody."""
        identifier = max(self.comments, default=0) + 1
        entry = example("issue-comment")
        entry |= {"id": identifier, "body": body, "issue_url": f"http://stand-in/{self.name}/issues/{number}"}
        entry["user"]["login"] = login
        self.comments[identifier] = entry
        return identifier

    def comments_by(self, login: str) -> list[str]:
        """The texts of somebody's comments."""
        return [c["body"] for c in self.comments.values() if c["user"]["login"] == login]

    def runs_on(self, commit: str) -> list[dict[str, Any]]:
        """The check runs of a commit, oldest first, with their annotations."""
        return [
            r | {"annotations": self.annotations[r["id"]]}
            for r in self.runs.values()
            if r["head_sha"] == commit
        ]


class StandIn:
    """The whole of GitHub, as far as it is used here. ``calls`` are those that came, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, Grant] = {}
        self.installations: dict[int, frozenset[str]] = {}
        self.app_key: Any = None
        self.app_id = "7"
        self.now = NOW
        self.calls: list[str] = []
        self.violations: list[str] = []
        self.known: set[str] = set()
        """Ends of violations that GitHub itself is known for."""
        self.faults: list[Fault] = []
        self.remaining = 1_000_000
        self.tree_limit = 100_000
        self.base_url = ""
        self.on_call: Callable[[str], None] = lambda call: None
        self.prefix = ""
        self.teams: dict[str, list[str]] = {}
        """``organisation/team`` -> logins."""
        self.strangers: frozenset[str] = frozenset()
        """Logins that may not review here."""

    def repository(self, name: str, *, private: bool = False) -> Repository:
        made = Repository(name, self.folder / name, private=private)
        self.repositories[name] = made
        return made

    def close(self) -> None:
        for repository in self.repositories.values():
            repository.git.close()

    def fault(self, match: str, status: int, times: int = 1, **more: Any) -> None:
        """Answer so to calls whose ``METHOD /path`` holds ``match``."""
        self.faults.append(Fault(match, status, times, **more))

    def count(self, *words: str) -> int:
        """How many calls hold all these words."""
        return sum(all(w in call for w in words) for call in self.calls)

    def counts(self) -> Counter[str]:
        """Calls by method."""
        return Counter(call.split(" ")[0] for call in self.calls)

    # --- one call -------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode()
        if not path.startswith(self.prefix):
            return _json(404, {"message": "Not Found"}, {})
        path = path.removeprefix(self.prefix)
        call = f"{request.method} {path}"
        self.calls.append(call)
        self.on_call(call)
        body = json.loads(await request.body() or b"null")
        query = dict(request.query_params)
        self.violations += wrong_call(request.method, path, query, body)
        fault = next((f for f in self.faults if f.times > 0 and f.match in call), None)
        try:
            if fault:
                fault.times -= 1
                if not fault.executed:
                    raise Refused(fault.status, fault.message, fault.headers)
            self._spend()
            status, found = self.route(request, path, query, body)
            if fault:
                raise Refused(fault.status, fault.message, fault.headers)
        except Refused as refused:
            return _json(refused.status, refused.body, self._limits() | refused.headers)
        wrong = wrong_answer(request.method, path, status, found)
        self.violations += [w for w in wrong if not w.endswith(tuple(self.known))]
        tag = f'W/"{hashlib.sha256(json.dumps(found).encode()).hexdigest()}"'
        if request.method == "GET" and request.headers.get("if-none-match") == tag:
            self.remaining += 1  # what has not changed is not counted
            return Response(status_code=304, headers={"ETag": tag, **self._limits()})
        return _json(status, found, {"ETag": tag, **self._limits()})

    def _spend(self) -> None:
        if self.remaining <= 0:
            raise Refused(403, "API rate limit exceeded for installation ID 9.")
        self.remaining -= 1

    def _limits(self) -> dict[str, str]:
        # GitHub counts in its own time; what is left to wait is told against the clock of the caller.
        reset = int(time.time()) + 1_800
        return {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(max(self.remaining, 0)),
            "X-RateLimit-Reset": str(reset),
        }

    def route(self, request: Request, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        parts = [unquote(p) for p in path.strip("/").split("/")]
        given = request.headers.get("authorization", "").partition(" ")[2]
        if parts[:2] == ["app", "installations"] and parts[3:] == ["access_tokens"]:
            return self._new_token(given, int(parts[2]), body)
        if parts == ["app"]:
            self._signed_in(given)
            return 200, example("integration") | {"id": 7, "slug": "contracts"}
        grant = self.tokens.get(given)
        if grant is None or grant.expires <= self.now:
            raise Refused(401, "Bad credentials")
        if parts == ["user"]:
            if not grant.has_user:
                raise Refused(403, "Resource not accessible by integration")
            user = example("private-user-response-with-public-and-private-profile-information")
            return 200, user | {"login": grant.login}
        if parts[:1] == ["orgs"] and parts[2:3] == ["teams"] and parts[4:] == ["members"]:
            return 200, _page(self._members(f"{parts[1]}/{parts[3]}"), query)
        name = "/".join(parts[1:3])
        if parts[0] != "repos" or name not in self.repositories or not _may(grant, name):
            raise Refused(404, "Not Found")
        return Calls(self, self.repositories[name], grant).route(
            request.method, parts[3:], path, query, body or {}
        )

    def _members(self, team: str) -> list[Any]:
        if team not in self.teams:
            raise Refused(404, "Not Found")
        user = example("issue-comment")["user"]
        return [user | {"login": login} for login in self.teams[team]]

    def _signed_in(self, token: str) -> None:
        from joserfc import jwt

        try:
            claims = jwt.decode(token, self.app_key, algorithms=["RS256"]).claims
        except Exception:
            raise Refused(401, "A JSON web token could not be decoded") from None
        begins, ends = int(claims["iat"]), int(claims["exp"])
        if claims["iss"] != self.app_id or not begins <= self.now.timestamp() < ends or ends - begins > 600:
            raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")

    def _new_token(self, given: str, installation: int, body: Any) -> tuple[int, Any]:
        self._signed_in(given)
        if installation not in self.installations:
            raise Refused(404, "Not Found")
        wanted = (body or {}).get("repositories")
        reach = self.installations[installation]
        chosen = frozenset(r for r in reach if wanted is None or r.partition("/")[2] in wanted)
        if wanted is not None and len(chosen) != len(wanted):
            raise Refused(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        token = f"ghs_{len(self.tokens)}"
        expires = self.now + timedelta(hours=1)
        self.tokens[token] = Grant("contracts[bot]", chosen, expires)
        made = example("installation-token")
        return 201, made | {"token": token, "expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}


def _may(grant: Grant, name: str) -> bool:
    return grant.repositories is None or name in grant.repositories


def _json(status: int, body: Any, headers: Mapping[str, str]) -> Response:
    if status == 204:
        return Response(status_code=204, headers=dict(headers))
    return Response(
        json.dumps(body), status, headers=dict(headers), media_type="application/json; charset=utf-8"
    )


class Calls:
    """The calls on one repository."""

    def __init__(self, hub: StandIn, repo: Repository, grant: Grant) -> None:
        self.hub, self.repo, self.grant = hub, repo, grant

    def route(
        self, method: str, parts: list[str], path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        match [method, *parts]:
            case ["GET", "git", "trees", sha]:
                return 200, self.tree(sha, "recursive" in query)
            case ["GET", "git", "blobs", sha]:
                return 200, self.blob(sha)
            case ["GET", "compare", *_]:
                return 200, self.compare(unquote(path.partition("/compare/")[2]))
            case ["GET"]:
                return 200, self.facts()
            case ["GET", "pulls"]:
                assert query["state"] == "open"
                open_ = [n for n, p in sorted(self.repo.pulls.items(), reverse=True) if p.state == "open"]
                return 200, _page([self.simple(n) for n in open_], query)
            case ["POST", "pulls", number, "requested_reviewers"]:
                return 201, self.ask(int(number), body)
            case ["GET", "pulls", number]:
                return 200, self.pull(int(number))
            case ["GET", "pulls", number, "reviews"]:
                return 200, _page(self.repo.reviews[int(number)], query)
            case ["GET", "issues", number, "comments"]:
                mine = [
                    c for c in self.repo.comments.values() if c["issue_url"].endswith(f"/issues/{number}")
                ]
                return 200, _page(mine, query)
            case ["POST", "issues", number, "comments"]:
                return 201, self.comment(int(number), body)
            case ["PATCH", "issues", "comments", number]:
                return 200, self.edit(int(number), body)
            case ["DELETE", "issues", "comments", number]:
                if self.repo.comments.pop(int(number), None) is None:
                    raise Refused(404, "Not Found")
                return 204, None
            case ["POST", "check-runs"]:
                return 201, self.new_run(body)
            case ["GET", "check-runs", number]:
                return 200, self.run(int(number))
            case ["PATCH", "check-runs", number]:
                return 200, self.change_run(int(number), body)
            case ["GET", "commits", ref, "check-runs"]:
                found = [
                    r
                    for r in self.repo.runs.values()
                    if r["head_sha"] == ref and query.get("check_name") in (None, r["name"])
                ]
                if query.get("filter", "latest") == "latest":
                    found = list({r["name"]: r for r in found}.values())
                return 200, {"total_count": len(found), "check_runs": _page(found, query)}
        raise Refused(404, "Not Found")

    # --- git ------------------------------------------------------------------------------------

    def object(self, sha: str) -> Any:
        try:
            return self.repo.git.object_store[sha.encode()]  # type: ignore[index]
        except (KeyError, ValueError, AssertionError):
            raise Refused(404, "Not Found") from None

    def tree(self, sha: str, recursive: bool) -> Any:
        found = self.object(sha)
        tree = self.object(found.tree.decode()) if isinstance(found, Commit) else found
        if not isinstance(tree, Tree):
            raise Refused(404, "Not Found")
        entries, truncated = [], False
        for path, mode, blob in self.entries(tree, "", recursive):
            if len(entries) == self.hub.tree_limit:
                truncated = True
                break
            entry = {
                "path": path,
                "mode": f"{mode:06o}",
                "type": "blob",
                "sha": blob,
                "url": f"http://stand-in/{blob}",
            }
            if stat.S_ISDIR(mode):
                entry["type"] = "tree"
            elif mode == MODULE:
                entry["type"] = "commit"
            else:
                entry["size"] = self.object(blob).raw_length()
            entries.append(entry)
        return {
            "sha": tree.id.decode(),
            "url": "http://stand-in/tree",
            "tree": entries,
            "truncated": truncated,
        }

    def entries(self, tree: Tree, prefix: str, recursive: bool) -> Iterator[tuple[str, int, str]]:
        for entry in tree.iteritems():
            path = prefix + entry.path.decode()
            yield path, entry.mode, entry.sha.decode()
            if recursive and stat.S_ISDIR(entry.mode):
                yield from self.entries(self.object(entry.sha.decode()), path + "/", True)

    def blob(self, sha: str) -> Any:
        found = self.object(sha)
        if not isinstance(found, Blob):
            raise Refused(404, "Not Found")
        content = found.as_raw_string()
        text = base64.encodebytes(content).decode()
        return example("blob") | {"sha": sha, "size": len(content), "content": text, "encoding": "base64"}

    def compare(self, basehead: str) -> Any:
        base, dots, head = basehead.partition("...")
        if not dots:
            raise Refused(404, "Not Found")
        one, other = self.commit(base), self.commit(head)
        common = find_merge_base(self.repo.git, [one.encode(), other.encode()])  # type: ignore[list-item]
        if not common:
            raise Refused(404, f"No common ancestor between {base} and {head}.")
        made = example("commit-comparison")
        made["base_commit"]["sha"] = one
        made["merge_base_commit"]["sha"] = common[0].decode()
        return made

    def commit(self, name: str) -> str:
        ref = f"refs/heads/{name}".encode()
        sha = self.repo.git.refs[ref].decode() if ref in self.repo.git.refs else name  # type: ignore[operator,index]
        if not isinstance(self.object(sha), Commit):
            raise Refused(404, "Not Found")
        return sha

    # --- pull requests and comments ---------------------------------------------------------------

    def pull(self, number: int) -> Any:
        pull = self.repo.pulls.get(number)
        if pull is None:
            raise Refused(404, "Not Found")
        made = example("pull-request")
        made |= {"number": number, "state": pull.state, "merged": pull.merged, "draft": False}
        made["requested_teams"] = []  # those of the example lack what its schema asks for
        made["user"]["login"] = pull.author
        made["base"] |= {"ref": pull.base_ref, "sha": pull.base_sha}
        made["base"]["repo"] |= {"full_name": self.repo.name, "private": self.repo.private}
        made["head"] |= {"ref": pull.head_ref, "sha": pull.head_sha}
        if pull.head_repository is None:
            made["head"]["repo"] = None
        else:
            made["head"]["repo"]["full_name"] = pull.head_repository
        return made

    def facts(self) -> Any:
        made = example("full-repository-default-response")
        made |= {"full_name": self.repo.name, "private": self.repo.private, "default_branch": "main"}
        # The documented example lacks what its schema asks for.
        made["language"] = made["source"]["language"] = made["parent"]["language"] = None
        return made

    def simple(self, number: int) -> Any:
        """A pull request as lists have it."""
        made, whole = example("pull-request-simple-items")[0], self.pull(number)
        return made | {k: whole[k] for k in ("number", "state", "user", "base", "head", "requested_teams")}

    def ask(self, number: int, body: Any) -> Any:
        pull = self.repo.pulls.get(number)
        if pull is None:
            raise Refused(404, "Not Found")
        wanted = [*body.get("reviewers", ()), *(f"@{t}" for t in body.get("team_reviewers", ()))]
        if pull.author in wanted:
            raise Refused(422, "Review cannot be requested from pull request author.")
        teams = {f"@{t.partition('/')[2]}" for t in self.hub.teams}
        if any(w in self.hub.strangers or (w.startswith("@") and w not in teams) for w in wanted):
            raise Refused(422, "Reviews may only be requested from collaborators.")
        pull.asked = sorted({*pull.asked, *wanted})
        return self.simple(number)

    def comment(self, number: int, body: Any) -> Any:
        if number not in self.repo.pulls:
            raise Refused(404, "Not Found")
        self.fits(body["body"], 65_536, "body")
        return self.repo.comments[self.repo.say(number, self.grant.login, body["body"])]

    def edit(self, number: int, body: Any) -> Any:
        if number not in self.repo.comments:
            raise Refused(404, "Not Found")
        self.fits(body["body"], 65_536, "body")
        self.repo.comments[number]["body"] = body["body"]
        return self.repo.comments[number]

    def fits(self, text: str, most: int, what: str) -> None:
        if len(text) > most:
            raise Refused(
                422,
                "Validation Failed",
                errors=[{"message": f"{what} is too long (maximum is {most} characters)"}],
            )

    # --- check runs -------------------------------------------------------------------------------

    def new_run(self, body: Any) -> Any:
        self.commit(body["head_sha"])
        identifier = len(self.repo.runs) + 1
        made = example("check-run")
        made |= {"id": identifier, "name": body["name"], "head_sha": body["head_sha"], "pull_requests": []}
        made |= {
            "external_id": body.get("external_id", ""),
            "status": body.get("status", "queued"),
            "conclusion": None,
            "completed_at": None,
        }
        made["output"] = {
            "title": None,
            "summary": None,
            "text": None,
            "annotations_count": 0,
            "annotations_url": "http://stand-in/annotations",
        }
        self.repo.runs[identifier], self.repo.annotations[identifier] = made, []
        return self.change_run(identifier, body)

    def run(self, number: int) -> Any:
        if number not in self.repo.runs:
            raise Refused(404, "Not Found")
        return self.repo.runs[number]

    def change_run(self, number: int, body: Any) -> Any:
        run, output = self.run(number), body.get("output", {})
        notes = output.get("annotations", [])
        if len(notes) > 50:
            raise Refused(422, "Invalid request.\n\nNo more than 50 items are allowed; 51 were supplied.")
        if body.get("status") == "completed" and "conclusion" not in body:
            raise Refused(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
        if len(body.get("actions", [])) > 3:
            raise Refused(422, "Invalid request.\n\nNo more than 3 items are allowed.")
        for key in ("summary", "text"):
            self.fits(output.get(key) or "", LONGEST, key)
        for note in notes:
            if (
                len(note["message"].encode()) > 64 * 1024
                or len(note.get("title", "")) > 255
                or note["start_line"] < 1
            ):
                raise Refused(422, "Invalid request.\n\nAnnotation is too large.")
        run |= {k: body[k] for k in ("status", "conclusion", "external_id", "details_url") if k in body}
        run["actions"] = body.get("actions", [])
        run["output"] |= {k: output[k] for k in ("title", "summary", "text") if k in output}
        self.repo.annotations[number] += notes
        run["output"]["annotations_count"] = len(self.repo.annotations[number])
        if run["conclusion"]:
            run |= {"status": "completed", "completed_at": f"{self.hub.now:%Y-%m-%dT%H:%M:%SZ}"}
        return run


def _page(entries: list[Any], query: Mapping[str, str]) -> list[Any]:
    size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    return entries[(page - 1) * size : page * size]


class Server:
    """Answers on loopback, as one stand-in after the other."""

    def __init__(self) -> None:
        self.hub: StandIn | None = None
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        api = FastAPI(openapi_url=None)
        api.add_api_route("/{path:path}", self.answer, methods=["GET", "POST", "PATCH", "DELETE", "PUT"])
        self._server = uvicorn.Server(uvicorn.Config(api, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    async def answer(self, request: Request) -> Response:
        assert self.hub is not None
        return await self.hub.answer(request)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

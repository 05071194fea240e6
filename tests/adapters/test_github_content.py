"""Content of a repository through GitHub's API: exact, bounded, and of this repository alone."""

from __future__ import annotations

import base64

import pytest

from contracts_svc.adapters.github.client import GitHubClient
from contracts_svc.adapters.github.content import BlobCache, GitHubCode
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.names import RepositoryName
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP
from tests.github_stand_in import LINK, MODULE, Repository, StandIn

NAME = RepositoryName.parse(SHOP)
YAML = (".odcs.yaml",)


@pytest.fixture
def code(client: GitHubClient) -> GitHubCode:
    return GitHubCode(client, NAME)


def test_files_are_read_at_the_exact_commit(code: GitHubCode, shop: Repository) -> None:
    old = shop.commit({"a.odcs.yaml": "1", "deep/er/b.odcs.yaml": "2", "README.md": "x"}, branch="main")
    new = shop.commit({"a.odcs.yaml": "changed", "moved/b.odcs.yaml": "2"}, old, branch="main")
    assert code.texts(old, YAML) == {"a.odcs.yaml": b"1", "deep/er/b.odcs.yaml": b"2"}
    assert code.texts(new, YAML) == {"a.odcs.yaml": b"changed", "moved/b.odcs.yaml": b"2"}


def test_what_is_the_same_is_read_once(code: GitHubCode, shop: Repository, hub: StandIn) -> None:
    files = {f"c{n}.odcs.yaml": f"content {n}" for n in range(20)}
    old = shop.commit(files | {"x.sql": "select 1"}, branch="main")
    new = shop.commit({**files, "c0.odcs.yaml": "other", "renamed.odcs.yaml": "content 1"}, old)
    for commit in (old, new, old, new):
        code.texts(commit, YAML)
    assert hub.count("GET", "/git/blobs/") == 21
    assert hub.count("GET", "/git/trees/") == 2
    code.texts(old, (".sql",))
    assert (hub.count("/git/blobs/"), hub.count("/git/trees/")) == (22, 2)


def test_links_and_submodules_are_left_out(code: GitHubCode, shop: Repository) -> None:
    commit = shop.commit(
        {
            "a.odcs.yaml": "1",
            "link.odcs.yaml": (LINK, b"../../etc/passwd"),
            "module.odcs.yaml": (MODULE, b"c" * 40),
            "run.odcs.yaml": (0o100755, b"2"),
        }
    )
    assert code.texts(commit, YAML) == {"a.odcs.yaml": b"1", "run.odcs.yaml": b"2"}


def test_three_thousand_files_are_one_tree(code: GitHubCode, shop: Repository, hub: StandIn) -> None:
    commit = shop.commit({f"d{n % 30}/f{n}.txt": "same" for n in range(3_000)} | {"a.odcs.yaml": "1"})
    assert code.texts(commit, YAML) == {"a.odcs.yaml": b"1"}
    assert len(hub.calls) == 2


def test_a_tree_that_is_cut_off_is_read_folder_by_folder(
    code: GitHubCode, shop: Repository, hub: StandIn
) -> None:
    files = {f"d{n}/e{m}/f.odcs.yaml": f"{n}.{m}" for n in range(4) for m in range(5)}
    hub.tree_limit = 8
    commit = shop.commit(files | {"top.odcs.yaml": "t"})
    assert code.texts(commit, YAML) == {
        p: t.encode() for p, t in sorted({**files, "top.odcs.yaml": "t"}.items())
    }
    assert hub.count("/git/trees/") == 2 + 4 * (1 + 1 + 5)


def test_a_folder_that_github_does_not_list_whole_is_no_verdict(
    code: GitHubCode, shop: Repository, hub: StandIn
) -> None:
    hub.tree_limit = 3
    commit = shop.commit({f"f{n}.odcs.yaml": "x" for n in range(5)})
    with pytest.raises(CouldNotCheck, match="does not list all of it"):
        code.texts(commit, YAML)


def test_the_requests_for_one_commit_are_bounded(code: GitHubCode, shop: Repository, hub: StandIn) -> None:
    hub.tree_limit = 1
    deep = "/".join(f"d{n}" for n in range(400))
    commit = shop.commit({f"{deep}/a.odcs.yaml": "x"})
    with pytest.raises(CouldNotCheck, match="take over 500 requests"):
        code.texts(commit, YAML)
    assert len(hub.calls) == 500


def test_a_file_of_several_megabytes(code: GitHubCode, shop: Repository) -> None:
    large = bytes(range(256)) * 12_000
    assert code.texts(shop.commit({"big.odcs.yaml": large}), YAML) == {"big.odcs.yaml": large}


def test_a_file_that_is_too_large_is_not_even_asked_for(
    code: GitHubCode, shop: Repository, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts_svc.adapters.github.content.MAX_FILE_BYTES", 1_000)
    commit = shop.commit({"big.odcs.yaml": b"x" * 1_001})
    with pytest.raises(UserMistake, match=r"big\.odcs\.yaml has 1,001 bytes"):
        code.texts(commit, YAML)
    assert hub.count("/git/blobs/") == 0


def test_where_a_pull_request_has_left_its_base(code: GitHubCode, shop: Repository) -> None:
    start = shop.commit({"a": "1"}, branch="release/1.0")
    head = shop.commit({"a": "2"}, start)
    tip = shop.commit({"a": "3"}, start, branch="release/1.0")
    parting = code.parting("release/1.0", head)
    assert (parting.tip, parting.merge_base) == (tip, start)
    assert code.merge_base(tip, head) == start


@pytest.mark.parametrize("branch", ["fix/#12-ü", "a%2e%2e/b", "x&y=z", "v1+2"])
def test_a_branch_may_be_called_anything_that_git_allows(
    branch: str, code: GitHubCode, shop: Repository
) -> None:
    start = shop.commit({"a": "1"}, branch="main")
    shop.git.refs[f"refs/heads/{branch}".encode()] = start.encode()  # type: ignore[index,assignment]
    assert code.parting(branch, shop.commit({"a": "2"}, start)).tip == start


def test_all_files_together_are_bounded(
    code: GitHubCode, shop: Repository, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts_svc.adapters.github.content.MAX_BYTES", 1_000)
    commit = shop.commit({f"{n}.odcs.yaml": f"{n}" * 300 for n in range(4)})
    with pytest.raises(CouldNotCheck, match="4 such files of 1,200 bytes"):
        code.texts(commit, YAML)
    assert hub.count("/git/blobs/") == 0


def test_commits_without_a_common_one(code: GitHubCode, shop: Repository) -> None:
    one, other = shop.commit({"a": "1"}), shop.commit({"a": "2"})
    with pytest.raises(CouldNotCheck, match="No common ancestor"):
        code.merge_base(one, other)


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "HEAD",
        "",
        "..",
        "../../../octo/secret/git/trees/" + "a" * 40,
        "a" * 40 + "/../../x",
        "a" * 40 + "?recursive=1",
        "%2e%2e",
        "refs/heads/main",
        "a" * 39,
    ],
)
def test_only_full_commit_ids_are_taken(ref: str, code: GitHubCode, hub: StandIn) -> None:
    for call in (
        code.resolve,
        lambda r: code.texts(r, YAML),
        lambda r: code.merge_base(r, "a" * 40),
        lambda r: code.parting("main", r),
    ):
        with pytest.raises(UserMistake):
            call(ref)
    assert hub.calls == []


@pytest.mark.parametrize(
    "ref", ["../../secret", "a..b", "x?y", "main...other:main", "other:main", "a b", "", "/etc"]
)
def test_a_base_that_is_no_branch_is_not_asked_for(ref: str, code: GitHubCode, hub: StandIn) -> None:
    with pytest.raises(UserMistake):
        code.parting(ref, "a" * 40)
    assert hub.calls == []


def test_what_lies_in_another_repository_is_not_found(
    code: GitHubCode, shop: Repository, hub: StandIn
) -> None:
    secret = hub.repository("octo/secret", private=True)
    commit = secret.commit({"a.odcs.yaml": "secret"}, branch="main")
    shop.commit({"a": "1"}, branch="main")
    with pytest.raises(CouldNotCheck, match="404"):
        code.texts(commit, YAML)
    with pytest.raises(CouldNotCheck, match="404"):
        code.parting("main", commit)
    assert {c.split("/")[3] for c in hub.calls} == {"shop"}


def test_a_cache_is_of_one_repository(client: GitHubClient, shop: Repository, hub: StandIn) -> None:
    """The same content in another repository is asked for there: whoever may not see it gets nothing."""
    other = hub.repository("octo/other")
    hub.tokens["ghp_workflow"].repositories = frozenset({SHOP, "octo/other"})
    files = {"a.odcs.yaml": "same"}
    cache = BlobCache()
    for name, repository in ((SHOP, shop), ("octo/other", other), (SHOP, shop)):
        GitHubCode(client, RepositoryName.parse(name), cache).texts(repository.commit(files), YAML)
    assert hub.count("/git/blobs/") == 2


def test_a_cache_is_bounded() -> None:
    cache = BlobCache(most=10)
    for number in range(5):
        cache.put(NAME, str(number), b"1234")
    assert [n for n in range(5) if cache.get(NAME, str(n)) is not None] == [3, 4]


class TestHostileAnswers:
    """What a server (or what stands between) sends is not trusted either."""

    def test_paths_that_lead_out_are_left_out(
        self, code: GitHubCode, shop: Repository, hub: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = shop.commit({"a.odcs.yaml": "1"})
        blob = next(
            iter(shop.git.object_store[shop.git.object_store[commit.encode()].tree].iteritems())
        ).sha.decode()  # type: ignore[index,union-attr]
        names = ["../x", "/x", "a/../x", "a//x", ".git/x", ".GIT/x", "./x", "a\0", ""]
        entries = [
            {"path": n + ".odcs.yaml" * bool(n), "mode": "100644", "type": "blob", "sha": blob, "size": 1}
            for n in names
        ]
        entries.append({"path": "fine.odcs.yaml", "mode": "100644", "type": "blob", "sha": blob, "size": 1})
        monkeypatch.setattr(
            "tests.github_stand_in.Calls.tree",
            lambda self, sha, recursive: {"sha": sha, "tree": entries, "truncated": False},
        )
        found = code.texts(commit, YAML)
        assert set(found) == {"fine.odcs.yaml"}

    @pytest.mark.parametrize("sha", ["../../../user", "x", None, 7])
    def test_an_id_that_is_none_is_not_asked_for(
        self, sha: object, code: GitHubCode, shop: Repository, hub: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = shop.commit({"a.odcs.yaml": "1"})
        entry = {"path": "a.odcs.yaml", "mode": "100644", "type": "blob", "sha": sha, "size": 1}
        monkeypatch.setattr(
            "tests.github_stand_in.Calls.tree",
            lambda self, t, recursive: {"sha": t, "tree": [entry], "truncated": False},
        )
        with pytest.raises(CouldNotCheck, match="cannot be read"):
            code.texts(commit, YAML)
        assert hub.count("/git/blobs/") == 0
        hub.violations.clear()  # the answer was made up

    @pytest.mark.parametrize(
        "blob",
        [
            {"content": "not base64!", "encoding": "base64"},
            {"content": base64.b64encode(b"other").decode(), "encoding": "base64"},
            {"content": "1", "encoding": "none"},
            {"content": None, "encoding": "base64"},
            {},
        ],
    )
    def test_content_that_is_not_what_was_asked_for(
        self,
        blob: dict[str, object],
        code: GitHubCode,
        shop: Repository,
        hub: StandIn,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        commit = shop.commit({"a.odcs.yaml": "1"})
        monkeypatch.setattr(
            "tests.github_stand_in.Calls.blob", lambda self, sha: {"sha": sha, "size": 1, **blob}
        )
        with pytest.raises(CouldNotCheck):
            code.texts(commit, YAML)
        hub.violations.clear()  # the answer was made up

"""Reading git objects: repositories are made here with dulwich, as no git program is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.objects import Blob, Commit, Tag, Tree
from dulwich.repo import Repo

from contracts_svc.adapters import git as git_module
from contracts_svc.adapters.git import GitRepository
from contracts_svc.demo.history import build_history
from contracts_svc.errors import CouldNotCheck, UserMistake

WHO = b"A <a@example.com>"


class History:
    """Makes commits in a repository, and remembers them by a letter."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.repo = Repo.init(str(path), default_branch=b"main")
        self.ids: dict[str, bytes] = {}

    def commit(self, name: str, *parents: str, files: dict[str, bytes] | None = None, time: int = 0) -> str:
        tree = Tree()
        for path, content in (files or {f"{name}.txt": name.encode()}).items():
            blob = Blob.from_string(content)
            self.repo.object_store.add_object(blob)
            tree.add(path.encode(), 0o100644, blob.id)
        return self.commit_tree(name, tree, *parents, time=time)

    def commit_tree(self, name: str, tree: Tree, *parents: str, time: int = 0) -> str:
        self.repo.object_store.add_object(tree)
        commit = Commit()
        commit.tree = tree.id
        commit.parents = [self.ids[p] for p in parents]
        commit.author = commit.committer = WHO
        commit.author_time = commit.commit_time = time or len(self.ids) + 1
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = name.encode()
        self.repo.object_store.add_object(commit)
        self.ids[name] = commit.id
        return commit.id.decode()

    def ref(self, ref: str, name: str) -> None:
        self.repo.refs[ref.encode()] = self.ids[name]

    def tag(self, tag_name: str, name: str) -> None:
        tag = Tag()
        tag.tagger, tag.tag_time, tag.tag_timezone = WHO, 1, 0
        tag.message, tag.name = b"a tag", tag_name.encode()
        tag.object = (Commit, self.ids[name])
        self.repo.object_store.add_object(tag)
        self.repo.refs[f"refs/tags/{tag_name}".encode()] = tag.id

    def name_of(self, identifier: str) -> str:
        return next(n for n, i in self.ids.items() if i.decode() == identifier)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """::

    a - b - c - m   main, HEAD, tags v1 (annotated, at b) and light (at a)
     \\- d - e -/    origin/feature at e
    """
    made = History(tmp_path / "repo")
    made.commit("a")
    made.commit("b", "a")
    made.commit("c", "b")
    made.commit("d", "a")
    made.commit("e", "d")
    made.commit("m", "c", "e")
    made.ref("refs/heads/main", "m")
    made.ref("refs/heads/fix/typo", "d")
    made.ref("refs/remotes/origin/feature", "e")
    made.ref("refs/remotes/origin/main", "c")
    made.repo.refs.set_symbolic_ref(b"refs/remotes/origin/HEAD", b"refs/remotes/origin/main")
    made.ref("refs/tags/light", "a")
    made.tag("v1", "b")
    return made


REFS = {
    "main": "m",
    "HEAD": "m",
    "@": "m",
    "refs/heads/main": "m",
    "heads/main": "m",
    "fix/typo": "d",
    "origin/feature": "e",
    "origin/main": "c",
    "origin": "c",
    "remotes/origin/main": "c",
    "light": "a",
    "v1": "b",
    "tags/v1": "b",
    "HEAD~1": "c",
    "HEAD~": "c",
    "HEAD^": "c",
    "HEAD^0": "m",
    "HEAD^1": "c",
    "HEAD^2": "e",
    "HEAD^2~1": "d",
    "HEAD~3": "a",
    "HEAD^^": "b",
    "v1~1": "a",
    "~2": "b",
}


@pytest.mark.parametrize(("ref", "expected"), REFS.items())
@pytest.mark.parametrize("packed", [False, True])
def test_resolve(history: History, ref: str, expected: str, packed: bool) -> None:
    if packed:
        porcelain.pack_refs(history.repo, all=True)
        history.repo.object_store.pack_loose_objects()
        history.repo.close()
    repository = GitRepository.open(history.path)
    assert history.name_of(repository.resolve(ref)) == expected


def test_resolve_ids(history: History) -> None:
    repository = GitRepository.open(history.path)
    for identifier in (i.decode() for i in history.ids.values()):
        for form in (identifier, identifier.upper(), identifier[:10], identifier[:9]):
            assert repository.resolve(form) == identifier


def test_a_short_id_of_several_commits(history: History) -> None:
    wanted = len(history.ids)
    seen: dict[str, str] = {}
    for number in range(5000):  # in 65,536 beginnings, two soon meet
        name = f"n{number}"
        identifier = history.commit(name, time=number + 1)
        if identifier[:4] in seen:
            break
        seen[identifier[:4]] = identifier
    assert len(history.ids) > wanted
    with pytest.raises(UserMistake, match="is that of several commits") as caught:
        GitRepository.open(history.path).resolve(identifier[:4])
    assert "give more of it" in str(caught.value)


UNKNOWN = {
    "mian": "did you mean main",
    "feature": "did you mean origin/feature",
    "v2": "known: .*main",
    "main~9": "has 0 parents here",
    "main^3": "has 2 parents here",
    "main^{tree}": "is no branch, tag or commit",
    "main@{1}": "is no branch, tag or commit",
    "a..b": "is no branch, tag or commit",
    "../config": "is no branch, tag or commit",
    "config": "is no branch, tag or commit",
    "-x": "is no branch, tag or commit",
    "\x00": "is no branch, tag or commit",
    "\udcff": "is no branch, tag or commit",
    "0" * 40: "is no branch, tag or commit",
    "main~" + "9" * 5000: "main",
}


@pytest.mark.parametrize(("ref", "message"), UNKNOWN.items())
def test_unknown_refs_are_mistakes(history: History, ref: str, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        GitRepository.open(history.path).resolve(ref)


def test_a_tree_is_no_commit(history: History) -> None:
    tree = history.repo[history.ids["a"]].tree
    history.repo.refs[b"refs/tags/tree"] = tree
    with pytest.raises(UserMistake, match="tree is no commit but a tree"):
        GitRepository.open(history.path).resolve("tree")


def test_a_repository_without_commits(tmp_path: Path) -> None:
    Repo.init(str(tmp_path))
    with pytest.raises(UserMistake, match="HEAD is no branch, tag or commit"):
        GitRepository.open(tmp_path).resolve("HEAD")


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="is not in a git repository"):
        GitRepository.open(tmp_path)


def test_merge_base(history: History) -> None:
    repository = GitRepository.open(history.path)
    for one, other, expected in (
        ("main", "main", "m"),
        ("origin/main", "origin/feature", "a"),
        ("main", "origin/feature", "e"),
        ("fix/typo", "main", "d"),
    ):
        assert history.name_of(repository.merge_base(one, other)) == expected
        assert history.name_of(repository.merge_base(other, one)) == expected


def test_of_several_merge_bases_the_newest(history: History) -> None:
    history.commit("x", "c", "d", time=100)
    history.commit("y", "d", "c", time=101)
    repository = GitRepository.open(history.path)
    x, y = history.ids["x"].decode(), history.ids["y"].decode()
    assert history.name_of(repository.merge_base(x, y)) == "d"
    assert history.name_of(repository.merge_base(y, x)) == "d"


def test_histories_that_have_nothing_in_common(history: History) -> None:
    history.commit("lonely")
    history.ref("refs/heads/lonely", "lonely")
    with pytest.raises(UserMistake, match="main and lonely have no commit in common"):
        GitRepository.open(history.path).merge_base("main", "lonely")


def test_a_shallow_clone_says_what_to_fetch(history: History, tmp_path: Path) -> None:
    shallow = history.path / ".git" / "shallow"
    shallow.write_bytes(history.ids["c"] + b"\n" + history.ids["e"] + b"\n")
    for name in ("a", "b", "d"):
        identifier = history.ids[name].decode()
        (history.path / ".git" / "objects" / identifier[:2] / identifier[2:]).unlink()
    repository = GitRepository.open(history.path)
    assert history.name_of(repository.merge_base("main", "origin/main")) == "c"
    with pytest.raises(UserMistake, match="fetch-depth: 0"):
        repository.merge_base("origin/main", "origin/feature")
    with pytest.raises(UserMistake, match="fetch-depth: 0"):
        repository.resolve("HEAD~2")


def test_objects_that_are_missing_or_damaged_are_no_verdict(history: History) -> None:
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(b"damaged")):
        history.commit("z", files={"z.sql": b"select 1"})
        blob = Blob.from_string(b"select 1").id.decode()
        history.ref("refs/heads/z", "z")
        file = history.path / ".git" / "objects" / blob[:2] / blob[2:]
        file.chmod(0o644)
        damage(file)
        with pytest.raises(CouldNotCheck, match="the git repository"):
            GitRepository.open(history.path).texts("z", (".sql",))


def nested(history: History) -> Tree:
    store = history.repo.object_store
    blobs = {text: Blob.from_string(text) for text in (b"one", b"two", b"")}
    for blob in blobs.values():
        store.add_object(blob)
    inner = Tree()
    inner.add(b"deep.odcs.yaml", 0o100644, blobs[b"two"].id)
    inner.add("ünïcode.sql".encode(), 0o100755, blobs[b"one"].id)
    inner.add(b"bad-\xff.sql", 0o100644, blobs[b""].id)
    store.add_object(inner)
    top = Tree()
    top.add(b"a.sql", 0o100644, blobs[b"one"].id)
    top.add(b"readme.md", 0o100644, blobs[b"one"].id)
    top.add(b"link.sql", 0o120000, blobs[b"one"].id)
    top.add(b"module.sql", 0o160000, history.ids["a"])
    top.add(b"folder.sql", 0o040000, inner.id)
    return top


def test_texts(history: History) -> None:
    commit = history.commit_tree("n", nested(history))
    repository = GitRepository.open(history.path)
    assert list(repository.texts(commit, (".sql", ".odcs.yaml")).items()) == [
        ("a.sql", b"one"),
        ("folder.sql/bad-\\xff.sql", b""),
        ("folder.sql/deep.odcs.yaml", b"two"),
        ("folder.sql/ünïcode.sql", b"one"),
    ]
    assert repository.texts(commit[:8], (".odcs.yaml",)) == {"folder.sql/deep.odcs.yaml": b"two"}
    assert repository.texts("main", (".sql",)) == {}


def test_texts_come_from_the_objects_and_not_from_the_folder(history: History) -> None:
    (history.path / "m.txt").write_text("changed, not committed")
    assert GitRepository.open(history.path).texts("HEAD", (".txt",)) == {"m.txt": b"m"}
    assert [p.name for p in history.path.iterdir() if p.name != ".git"] == ["m.txt"]


def test_a_file_that_is_too_large(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_module, "MAX_FILE_BYTES", 10)
    commit = history.commit("big", files={"a.sql": b"x" * 11, "b.sql": b"x" * 10, "c.sql": b"x" * 12})
    with pytest.raises(UserMistake) as caught:
        GitRepository.open(history.path).texts(commit, (".sql",))
    assert [p.message.split()[0] for p in caught.value.problems] == ["a.sql", "c.sql"]


def test_a_commit_that_claims_billions_of_files(history: History) -> None:
    store = history.repo.object_store
    blob = Blob.from_string(b"x")
    store.add_object(blob)
    identifier, mode = blob.id, 0o100644
    for _ in range(10):
        tree = Tree()
        for number in range(10):
            tree.add(f"{number}".encode(), mode, identifier)
        store.add_object(tree)
        identifier, mode = tree.id, 0o040000
    commit = history.commit_tree("bomb", tree)
    with pytest.raises(UserMistake, match="over 1,000,000 entries"):
        GitRepository.open(history.path).texts(commit, (".sql",))


def test_opened_from_anywhere_in_it(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    below = history.path / "some" / "folder"
    below.mkdir(parents=True)
    (below / "file.txt").write_text("x")
    monkeypatch.chdir(below)
    for path in (below, below / "file.txt", history.path / ".git", Path(), Path("../..")):
        assert history.name_of(GitRepository.open(path).resolve("HEAD")) == "m"


def test_a_linked_worktree_has_its_own_head(history: History, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    control = history.path / ".git" / "worktrees" / "linked"
    control.mkdir(parents=True)
    (control / "HEAD").write_text("ref: refs/heads/fix/typo\n")
    (control / "commondir").write_text("../..\n")
    (control / "gitdir").write_text(f"{linked}/.git\n")
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {control}\n")
    repository = GitRepository.open(linked)
    assert history.name_of(repository.resolve("HEAD")) == "d"
    assert history.name_of(repository.resolve("main")) == "m"
    assert repository.texts("HEAD", (".txt",)) == {"d.txt": b"d"}


def test_nothing_of_the_repository_is_executed(history: History, tmp_path: Path) -> None:
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\n")
    trap.chmod(0o755)
    config = history.path / ".git" / "config"
    with config.open("a") as out:
        out.write(f'[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n[filter "x"]\n\tsmudge = {trap}\n')
        out.write(f"[diff]\n\texternal = {trap}\n")
    for hook in ("post-checkout", "pre-commit", "post-index-change"):
        os.makedirs(history.path / ".git" / "hooks", exist_ok=True)
        os.symlink(trap, history.path / ".git" / "hooks" / hook)
    commit = history.commit("attributes", files={".gitattributes": b"*.sql filter=x diff=x", "a.sql": b"1"})
    repository = GitRepository.open(history.path)
    assert repository.texts(repository.merge_base(commit, commit), (".sql",)) == {"a.sql": b"1"}
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("[extensions]\n\tpartialClone = origin\n", "without --filter"),
        ("[extensions]\n\tfuture = x\n", "future"),
    ],
)
def test_formats_that_cannot_be_read(history: History, setting: str, hint: str) -> None:
    config = history.path / ".git" / "config"
    config.write_text("[core]\n\trepositoryformatversion = 1\n" + setting)
    with pytest.raises(UserMistake, match=hint):
        GitRepository.open(history.path)


def test_the_demos_history(tmp_path: Path) -> None:
    before = {"contracts/a.odcs.yaml": b"old", "sql/deep/b.sql": b"select 1"}
    after = {**before, "contracts/a.odcs.yaml": b"new"}
    base, head = build_history(tmp_path / "git", before, after)
    assert build_history(tmp_path / "git", before, after) == (base, head), "again, in the same folder"
    assert build_history(tmp_path / "elsewhere", before, after) == (base, head), "the same everywhere"
    repository = GitRepository.open(tmp_path / "git")
    assert repository.resolve("main") == repository.resolve("HEAD") == base
    assert repository.resolve("pull-request") == head
    assert repository.merge_base("pull-request", "main") == base
    assert repository.texts(base, (".odcs.yaml", ".sql")) == before
    assert repository.texts(head, (".odcs.yaml", ".sql")) == after


class TestHistory:
    def walked(self, history: History, name: str, path: str) -> list[tuple[str, str, bytes]]:
        with_path = GitRepository.open(history.path).history(history.ids[name].decode(), path)
        return [(history.name_of(v.commit), v.path, v.text) for v in with_path]

    def test_every_text_comes_once_newest_first(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        for name, parent, text in (
            ("a", (), b"1"),
            ("b", ("a",), b"1"),
            ("c", ("b",), b"2"),
            ("d", ("c",), b"1"),
        ):
            made.commit(name, *parent, files={"x.yaml": text, "other": name.encode()})
        assert self.walked(made, "d", "x.yaml") == [("d", "x.yaml", b"1"), ("c", "x.yaml", b"2")]

    def test_it_follows_first_parents(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"x": b"1"})
        made.commit("side", "a", files={"x": b"draft"})
        made.commit("merge", "a", "side", files={"x": b"2"})
        assert [text for _, _, text in self.walked(made, "merge", "x")] == [b"2", b"1"]

    def test_a_file_that_was_away_for_a_while_keeps_its_history(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"x": b"1"})
        made.commit("b", "a", files={"y": b"0"})
        made.commit("c", "b", files={"x": b"2"})
        assert self.walked(made, "c", "x") == [("c", "x", b"2"), ("a", "x", b"1")]

    def test_a_file_that_was_moved_as_it_was_is_followed(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"old.yaml": b"1"})
        made.commit("b", "a", files={"old.yaml": b"2"})
        made.commit("c", "b", files={"new.yaml": b"2"})
        made.commit("d", "c", files={"new.yaml": b"3"})
        assert self.walked(made, "d", "new.yaml") == [
            ("d", "new.yaml", b"3"),
            ("c", "new.yaml", b"2"),
            ("a", "old.yaml", b"1"),
        ]

    def test_a_link_is_no_file(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"x": b"1"})
        tree, blob = Tree(), Blob.from_string(b"elsewhere")
        made.repo.object_store.add_object(blob)
        tree.add(b"x", 0o120000, blob.id)
        made.commit_tree("b", tree, "a")
        assert self.walked(made, "b", "x") == [("a", "x", b"1")]

    def test_folders_that_are_as_before_are_not_read_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = History(tmp_path / "repo")
        inner, blob = Tree(), Blob.from_string(b"1")
        inner.add(b"x", 0o100644, blob.id)
        made.repo.object_store.add_objects([(blob, None), (inner, None)])
        for i in range(50):
            tree, other = Tree(), Blob.from_string(str(i).encode())
            made.repo.object_store.add_object(other)
            tree.add(b"folder", 0o040000, inner.id)
            tree.add(b"other", 0o100644, other.id)
            made.commit_tree(f"c{i}", tree, *([f"c{i - 1}"] if i else []))
        read: list[bytes] = []
        get = type(made.repo.object_store).__getitem__
        monkeypatch.setattr(
            type(made.repo.object_store), "__getitem__", lambda store, i: read.append(i) or get(store, i)
        )
        assert len(self.walked(made, "c49", "folder/x")) == 1
        assert read.count(inner.id) == 1

    def test_a_shallow_clone_gives_what_it_has_and_then_says_so(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"x": b"1"})
        made.commit("b", "a", files={"x": b"2"})
        (tmp_path / "repo" / ".git" / "shallow").write_bytes(made.ids["b"] + b"\n")
        walk = GitRepository.open(made.path).history(made.ids["b"].decode(), "x")
        assert next(walk).text == b"2"
        with pytest.raises(CouldNotCheck, match="shallow clone") as caught:
            next(walk)
        assert "unshallow" in caught.value.hint

    def test_a_missing_object_is_could_not_check(self, tmp_path: Path) -> None:
        made = History(tmp_path / "repo")
        made.commit("a", files={"x": b"1"})
        made.commit("b", "a", files={"x": b"2"})
        store = tmp_path / "repo" / ".git" / "objects"
        name = made.ids["a"].decode()
        (store / name[:2] / name[2:]).unlink()
        walk = GitRepository.open(made.path).history(made.ids["b"].decode(), "x")
        with pytest.raises(CouldNotCheck, match="is not there"):
            list(walk)

    def test_it_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = History(tmp_path / "repo")
        for i in range(5):
            made.commit(f"c{i}", *([f"c{i - 1}"] if i else []), files={"x": str(i).encode()})
        monkeypatch.setattr(git_module, "MAX_COMMITS", 5)
        assert len(self.walked(made, "c4", "x")) == 5
        monkeypatch.setattr(git_module, "MAX_COMMITS", 3)
        with pytest.raises(CouldNotCheck, match="more than 3 commits"):
            self.walked(made, "c4", "x")

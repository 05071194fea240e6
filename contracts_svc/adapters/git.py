"""Reading versions of text files from a git repository's objects, with dulwich.

No git program is needed, nothing is checked out and nothing of the repository is executed: no hook, no
filter, no configured command. dulwich is imported only when a repository is opened.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from contracts_svc.errors import CouldNotCheck, Problem, UserMistake
from contracts_svc.ports import FileVersion

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID, ShaFile
    from dulwich.refs import Ref
    from dulwich.repo import Repo

MAX_FILE_BYTES = 50_000_000
"""Larger text files are a mistake: no contract, SQL or lineage file is."""
MAX_ENTRIES = 1_000_000
"""Files and folders looked at in one commit. A small repository can claim to hold billions of them."""
MAX_COMMITS = 100_000
"""Commits that the history of one file is followed through."""
MAX_MOVES = 100
"""Times that a file of that history is looked for under another path."""
_TRAIL_MEMORY = 10_000

_STEPS = re.compile(r"(?P<base>.*?)(?P<steps>(?:[~^][0-9]{0,9})*)\Z", re.DOTALL)
_REF_PREFIXES = ("", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
_SHORTEST_ID = 4


class GitRepository:
    """Implements :class:`contracts_svc.ports.CodeHost` and ``FileHistory`` for a local repository."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    @classmethod
    def open(cls, path: Path) -> GitRepository:
        """The repository that a folder (or file) lies in, a bare one or a linked worktree too.

        Raises UserMistake when there is none, or one that cannot be read.
        """
        from dulwich.errors import NotGitRepository
        from dulwich.repo import Repo, UnsupportedExtension, UnsupportedVersion

        folder = path if path.is_dir() else path.parent
        try:
            return cls(Repo.discover(str(folder.resolve())))
        except NotGitRepository:
            raise UserMistake.of(
                f"{path} is not in a git repository", "run it in a checkout, or name the folder of one"
            ) from None
        except UnsupportedExtension as error:
            hint = "clone it without --filter" if error.extension.lower() == "partialclone" else ""
            raise UserMistake.of(
                f"the repository {folder} uses git's extension {error.extension}, which cannot be read", hint
            ) from None
        except UnsupportedVersion as error:
            raise UserMistake.of(
                f"the repository {folder} has git's format version {error.version}, which cannot be read"
            ) from None

    def close(self) -> None:
        """Close the files of the repository."""
        self._repo.close()

    def resolve(self, ref: str) -> str:
        """The full commit id of a branch, remote branch, tag, ``HEAD``, or an id (short ones too).

        ``~n`` and ``^n`` may follow, as in ``HEAD~2`` and ``main^2``. Raises UserMistake.
        """
        match = _STEPS.fullmatch(ref)
        assert match is not None
        with self._reading():
            commit = self._commit(match["base"] or "HEAD", ref)
            for kind, count in re.findall(r"([~^])([0-9]{0,9})", match["steps"]):
                commit = self._step(commit, kind, int(count or 1), ref)
            return commit.id.decode()

    def merge_base(self, one: str, other: str) -> str:
        """The commit that both have in common: of several best ones, the newest. Raises UserMistake."""
        from dulwich.graph import find_merge_base

        ids = [self.resolve(one).encode(), self.resolve(other).encode()]
        with self._reading():
            found: list[ObjectID] = find_merge_base(self._repo, ids)  # type: ignore[arg-type]
            if found:
                return max(found, key=lambda i: (self._get_commit(i).commit_time, i)).decode()
        if self._repo.get_shallow():
            raise UserMistake.of(
                f"this shallow clone does not reach back to where {one} and {other} part",
                "fetch more: `git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout",
            )
        raise UserMistake.of(f"{one} and {other} have no commit in common", "are both of this repository?")

    def texts(self, commit: str, suffixes: Sequence[str]) -> Mapping[str, bytes]:
        """Path -> content of every file at that commit whose name ends with one of ``suffixes``.

        In the order of the paths. Links and submodules are left out: what they point to is not in the
        commit. Raises UserMistake when the commit is not known, or for a file that is too large.
        """
        endings = tuple(suffixes)
        texts: dict[str, bytes] = {}
        problems: list[Problem] = []
        identifier = self.resolve(commit)
        with self._reading():
            for path, blob in self._files(identifier.encode(), endings):
                content = self._repo.object_store[blob].as_raw_string()
                if len(content) > MAX_FILE_BYTES:
                    message = f"{path} at {identifier[:12]} has {len(content):,} bytes"
                    problems.append(Problem(None, message, f"at most {MAX_FILE_BYTES:,} are read"))
                texts[path] = content
        if problems:
            raise UserMistake(problems)
        return dict(sorted(texts.items()))

    def paths(self, commit: str) -> tuple[str, ...]:
        """The path of every file at that commit; links and submodules are left out. Raises UserMistake."""
        identifier = self.resolve(commit)
        with self._reading():
            return tuple(path for path, _ in self._files(identifier.encode(), ("",)))

    def history(self, commit: str, path: str) -> Iterator[FileVersion]:
        """The file at that commit and each time it was changed before, newest first.

        Implements :class:`contracts_svc.ports.FileHistory`. Raises UserMistake for an unknown commit, and
        CouldNotCheck where the history goes on but cannot be followed.
        """
        current: Commit | None = self._get_commit(self.resolve(commit).encode())
        seen: set[ObjectID] = set()
        trail = _Trail(self._repo, path)
        moves = 0
        for _ in range(MAX_COMMITS):
            if current is None:
                return
            with self._reading():
                blob = trail.blob(current.tree)
                if blob is None and trail.last is not None and moves < MAX_MOVES:
                    moves += 1
                    blob = self._moved(trail, current.id)
                text = None
                if blob is not None and blob not in seen:
                    seen.add(blob)
                    text = self._repo.object_store[blob].as_raw_string()
            if text is not None:
                yield FileVersion(commit=current.id.decode(), path=trail.path, text=text)
            with self._reading():
                current = self._first_parent(current, path)
        if current is not None:
            raise _history_ends(path, f"it goes back over more than {MAX_COMMITS:,} commits")

    def _moved(self, trail: _Trail, commit: bytes) -> ObjectID | None:
        """Where the file stood before it came to its path, if it came as it was."""
        suffix = PurePosixPath(trail.path).suffix
        found = next((p for p, b in self._files(commit, (suffix,)) if b == trail.last), None)
        blob, trail.last = trail.last, None
        if found is None:
            return None
        trail.go_to(found)
        return blob

    def _first_parent(self, commit: Commit, path: str) -> Commit | None:
        parents = self._repo.get_parents(commit.id)
        if not parents and commit.id in self._repo.get_shallow():
            raise _history_ends(path, "this is a shallow clone")
        return self._get_commit(parents[0]) if parents else None

    def _files(self, commit: bytes, endings: tuple[str, ...]) -> Iterator[tuple[str, ObjectID]]:
        """Path and blob of the regular files whose names end so."""
        from dulwich.objects import Tree

        folders: list[tuple[str, ObjectID]] = [("", self._get_commit(commit).tree)]
        seen = 0
        while folders:
            prefix, identifier = folders.pop()
            tree = self._repo.object_store[identifier]
            if not isinstance(tree, Tree):
                raise UserMistake.of(f"{prefix or 'the commit'} is damaged: its tree is a {tree.type_name!r}")
            for entry in tree.iteritems():
                seen += 1
                if seen > MAX_ENTRIES:
                    raise UserMistake.of(f"the commit {commit.decode()} holds over {MAX_ENTRIES:,} entries")
                # Git's paths are bytes; one that is no UTF-8 still gets a name of its own.
                path = prefix + entry.path.decode("utf-8", "backslashreplace")
                if stat.S_ISDIR(entry.mode):
                    folders.append((path + "/", entry.sha))
                elif stat.S_ISREG(entry.mode) and path.endswith(endings):
                    yield path, entry.sha

    def _commit(self, base: str, ref: str) -> Commit:
        """The commit that a name without steps stands for, in git's own order of trying."""
        refs = self._repo.refs
        name = "HEAD" if base == "@" else base
        for full in (*(prefix + name for prefix in _REF_PREFIXES), f"refs/remotes/{name}/HEAD"):
            known = _legal(full)
            target = refs.follow(known)[1] if known is not None else None
            if target is not None:
                return self._peel(self._repo.object_store[target], ref)
        if re.fullmatch(r"[0-9a-fA-F]+", name) and len(name) >= _SHORTEST_ID:
            return self._by_id(name.lower(), ref)
        raise self._unknown(ref, name)

    def _by_id(self, prefix: str, ref: str) -> Commit:
        store = self._repo.object_store
        found = sorted(set(store.iter_prefix(prefix.encode())))
        commits = [i for i in found if store[i].type_name in (b"commit", b"tag")]
        if len(commits) > 1:
            ids = ", ".join(i.decode()[:12] for i in commits[:5])
            raise UserMistake.of(
                f"the short id {prefix} is that of several commits: {ids}", "give more of it"
            )
        if not commits:
            raise self._unknown(ref, prefix)
        return self._peel(store[commits[0]], ref)

    def _peel(self, found: ShaFile, ref: str) -> Commit:
        """The commit behind a tag."""
        from dulwich.objects import Commit, Tag

        while isinstance(found, Tag):
            found = self._repo.object_store[found.object[1]]
        if not isinstance(found, Commit):
            raise UserMistake.of(f"{ref} is no commit but a {found.type_name.decode()}", "name a commit")
        return found

    def _step(self, commit: Commit, kind: str, count: int, ref: str) -> Commit:
        """The ``count``-th parent (``^``), or the ancestor that many first parents back (``~``)."""
        if count == 0:
            return commit
        for number in repeat(count, 1) if kind == "^" else repeat(1, count):
            parents = self._repo.get_parents(commit.id)
            if len(parents) < number:
                shallow = commit.id in self._repo.get_shallow()
                raise UserMistake.of(
                    f"{ref} does not exist: {commit.id.decode()[:12]} has {len(parents)} parents here",
                    "fetch more: `git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout" * shallow,
                )
            commit = self._get_commit(parents[number - 1])
        return commit

    def _get_commit(self, identifier: bytes) -> Commit:
        return self._peel(self._repo.object_store[identifier], identifier.decode())  # type: ignore[index]

    def _unknown(self, ref: str, name: str) -> UserMistake:
        short = re.compile(r"refs/(?:heads|remotes|tags)/")
        names = sorted({short.sub("", r.decode("utf-8", "replace")) for r in self._repo.refs.allkeys()})
        close = [n for n in names if n.endswith("/" + name)] or get_close_matches(name, names, n=5)
        hint = f"did you mean {', '.join(close[:5])}?" if close else f"known: {', '.join(names[:10]) or '-'}"
        return UserMistake.of(f"{ref} is no branch, tag or commit of this repository", hint)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Objects that are missing or damaged are no verdict: they were not fetched, or the disk is bad."""
        import zlib

        from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException, MissingCommitError

        try:
            yield
        except (KeyError, MissingCommitError) as error:
            raise CouldNotCheck(
                "the git repository",
                f"the object {_printable(error)} is not there",
                "fetch it whole: `git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout",
                retryable=False,
            ) from error
        except (FileFormatException, ChecksumMismatch, ApplyDeltaError, zlib.error, OSError) as error:
            raise CouldNotCheck(
                "the git repository", f"an object is damaged: {error}", "see `git fsck`", retryable=False
            ) from error


class _Trail:
    """Finds one path in commit after commit; folders that are as before are not read again."""

    def __init__(self, repo: Repo, path: str) -> None:
        self._repo = repo
        self.last: ObjectID | None = None
        """The file in the commit before this one in the walk, while it is there."""
        self.go_to(path)

    def go_to(self, path: str) -> None:
        """Look for another path from now on."""
        self.path = path
        self._parts = path.encode("utf-8", "surrogateescape").split(b"/")
        self._known: dict[tuple[ObjectID, int], ObjectID | None] = {}

    def blob(self, tree: ObjectID) -> ObjectID | None:
        """The file at the path under this tree, or None. A link or submodule is no file."""
        found = self._find(tree, 0)
        self.last = found or self.last
        return found

    def _find(self, identifier: ObjectID, depth: int) -> ObjectID | None:
        from dulwich.objects import Tree

        key = (identifier, depth)
        if key in self._known:
            return self._known[key]
        tree = self._repo.object_store[identifier]
        found: ObjectID | None = None
        if isinstance(tree, Tree) and self._parts[depth] in tree:
            mode, child = tree[self._parts[depth]]
            if depth + 1 < len(self._parts):
                found = self._find(child, depth + 1) if stat.S_ISDIR(mode) else None
            elif stat.S_ISREG(mode):
                found = child
        if len(self._known) >= _TRAIL_MEMORY:
            self._known.clear()
        self._known[key] = found
        return found


def _history_ends(path: str, why: str) -> CouldNotCheck:
    return CouldNotCheck(
        f"the earlier versions of {path}",
        why,
        "fetch it whole: `git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout; or use a mode "
        "without _TRANSITIVE",
        retryable=False,
    )


def _legal(name: str) -> Ref | None:
    """The name as dulwich takes it, unless git would not allow it (``a..b``, ``../config``)."""
    from dulwich.refs import Ref, check_ref_format

    ref = Ref(name.encode("utf-8", "replace"))
    legal = name == "HEAD" or (name.startswith("refs/") and check_ref_format(ref))
    return ref if legal else None


def _printable(error: Exception) -> str:
    value = error.args[0] if error.args else ""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

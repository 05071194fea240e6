"""The demo's git history: what main holds, and a pull request that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dulwich.repo import Repo

MAIN = "main"
PULL_REQUEST = "pull-request"
# Fixed, so that the ids of the commits are the same on every machine.
_AUTHOR = b"Grace Ito <grace.ito@example.com>"
_TIME = 1_391_241_600  # 2014-02-01T08:00:00Z
_FILE_MODE = 0o100644


def build_history(
    directory: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> tuple[str, str]:
    """Make a bare repository in ``directory``: branch main has the files ``before``, pull-request ``after``.

    Both map paths to contents. Returns the ids of the two commits; the second's parent is the first.
    A repository that is there from an earlier time gets the two branches anew.
    """
    from dulwich.repo import Repo

    directory.mkdir(parents=True, exist_ok=True)
    there = (directory / "objects").is_dir()
    repo = Repo(str(directory)) if there else Repo.init_bare(str(directory))
    with repo:
        base = _commit(repo, before, [], b"Publish the contracts of the flight lake\n", _TIME)
        head = _commit(repo, after, [base], b"Slim the flights feed\n", _TIME + 3600)
        repo.refs[f"refs/heads/{MAIN}".encode()] = base  # type: ignore[index,assignment]
        repo.refs[f"refs/heads/{PULL_REQUEST}".encode()] = head  # type: ignore[index,assignment]
        repo.refs.set_symbolic_ref(b"HEAD", f"refs/heads/{MAIN}".encode())  # type: ignore[arg-type]
    return base.decode(), head.decode()


def _commit(repo: Repo, files: Mapping[str, bytes], parents: list[bytes], message: bytes, time: int) -> bytes:
    from dulwich.index import commit_tree
    from dulwich.objects import Blob, Commit

    entries = []
    for path, content in sorted(files.items()):
        blob = Blob.from_string(content)
        repo.object_store.add_object(blob)
        entries.append((path.encode(), blob.id, _FILE_MODE))
    commit = Commit()
    commit.tree = commit_tree(repo.object_store, entries)
    commit.parents = parents  # type: ignore[assignment]
    commit.author = commit.committer = _AUTHOR
    commit.author_time = commit.commit_time = time
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = message
    repo.object_store.add_object(commit)
    return commit.id

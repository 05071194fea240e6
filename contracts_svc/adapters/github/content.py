"""What a repository holds at exact commits, through GitHub's trees and blobs.

Only full commit ids are taken, of the one repository that was named. A fork's commits are read through
the repository that the pull request asks into: GitHub keeps them there. Links and submodules are left
out; nothing is checked out, and nothing of it is run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import quote

from contracts_svc.adapters.github.client import GitHubClient
from contracts_svc.errors import CouldNotCheck, Problem, UserMistake
from contracts_svc.github.fields import Fields
from contracts_svc.github.names import RepositoryName, branch_name, commit_id
from contracts_svc.ports_github import Parting

MAX_FILE_BYTES = 50_000_000
"""Larger text files are a mistake: no contract, SQL or lineage file is."""
MAX_FILES = 10_000
"""Files that are read of one commit."""
MAX_BYTES = 500_000_000
"""Bytes of all files that are read of one commit."""
MAX_TREES = 500
"""Requests for the folders of a commit that is too large for one."""
_FILES = frozenset({"100644", "100755", "100664"})
"""Modes of regular files; links (120000) and submodules (160000) are not among them."""
_AT_ONCE = 8
_LARGEST_CACHE = 100_000_000


class BlobCache:
    """Contents by repository and id, which never change; the oldest go when it is full. Bytes in all.

    Safe for use by many threads.
    """

    def __init__(self, most: int = _LARGEST_CACHE) -> None:
        self._most = most
        self._size = 0
        self._held: OrderedDict[tuple[RepositoryName, str], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, repository: RepositoryName, blob: str) -> bytes | None:
        """A content that was put there for this very repository."""
        with self._lock:
            return self._held.get((repository, blob))

    def put(self, repository: RepositoryName, blob: str, content: bytes) -> None:
        """Keep a content."""
        with self._lock:
            self._size += len(content) - len(self._held.pop((repository, blob), b""))
            self._held[repository, blob] = content
            while self._size > self._most:
                self._size -= len(self._held.popitem(last=False)[1])


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    blob: str
    size: int


class GitHubCode:
    """Implements :class:`contracts_svc.ports.CodeHost` for one repository."""

    def __init__(
        self, client: GitHubClient, repository: RepositoryName, cache: BlobCache | None = None
    ) -> None:
        self._client = client
        self._repository = repository
        self._at = f"/repos/{repository.owner}/{repository.name}"
        self._cache = cache or BlobCache()
        self._trees: dict[str, tuple[_File, ...]] = {}

    def resolve(self, ref: str) -> str:
        """A full commit id, as it is: names of branches move between two calls. Raises UserMistake."""
        return commit_id(ref)

    def merge_base(self, one: str, other: str) -> str:
        """The commit that both have in common. Raises CouldNotCheck."""
        return self._compared(commit_id(one), commit_id(other)).merge_base

    def parting(self, base_ref: str, head: str) -> Parting:
        """The tip of the base branch as it is now, and where the head has left it. Raises CouldNotCheck."""
        return self._compared(quote(branch_name(base_ref), safe="/"), commit_id(head))

    def tip(self, branch: str) -> str:
        """The commit that a branch is at now. Raises CouldNotCheck."""
        name = quote(branch_name(branch), safe="/")
        return self._compared(name, name).tip

    def texts(self, commit: str, suffixes: Sequence[str]) -> Mapping[str, bytes]:
        """Path -> content of every file at that commit whose name ends with one of ``suffixes``.

        In the order of the paths. Raises UserMistake for a file that is too large, CouldNotCheck.
        """
        endings = tuple(suffixes)
        wanted = [f for f in self._files(commit_id(commit)) if f.path.endswith(endings)]
        large = [f for f in wanted if f.size > MAX_FILE_BYTES]
        if large:
            hint = f"at most {MAX_FILE_BYTES:,} are read"
            raise UserMistake(Problem(None, f"{f.path} has {f.size:,} bytes", hint) for f in large)
        if len(wanted) > MAX_FILES or sum(f.size for f in wanted) > MAX_BYTES:
            raise CouldNotCheck(
                f"{self._repository} at {commit[:12]}",
                f"it holds {len(wanted):,} such files of {sum(f.size for f in wanted):,} bytes, and at most "
                f"{MAX_FILES:,} of {MAX_BYTES:,} are read",
                retryable=False,
            )
        contents = self._contents({f.blob for f in wanted})
        return {f.path: contents[f.blob] for f in sorted(wanted, key=lambda f: f.path)}

    def _compared(self, base: str, head: str) -> Parting:
        found = self._client.get(f"{self._at}/compare/{base}...{head}", {"per_page": 1})
        fields = _fields(found, f"the comparison of {base} with {head}")
        with _readable(f"the comparison of {base} with {head}"):
            tip = fields.needed("base_commit.sha", fields.commit("base_commit.sha"))
            common = fields.needed("merge_base_commit.sha", fields.commit("merge_base_commit.sha"))
        return Parting(tip=tip, merge_base=common)

    def _files(self, commit: str) -> tuple[_File, ...]:
        if commit not in self._trees:
            budget = [MAX_TREES]
            self._trees[commit] = tuple(_distinct(self._walk(commit, "", budget)))
        return self._trees[commit]

    def _walk(self, tree: str, prefix: str, budget: list[int]) -> Iterator[_File]:
        """The files below a tree: all in one request, or folder by folder where that is cut off."""
        found, truncated = self._tree(tree, {"recursive": "1"}, budget)
        if not truncated:
            yield from _files_of(found, prefix)
            return
        found, truncated = self._tree(tree, {}, budget)
        if truncated:
            raise CouldNotCheck(
                f"the folder {prefix or '/'} of {self._repository}", "GitHub does not list all of it"
            )
        yield from _files_of(found, prefix)
        with _readable("a tree"):
            folders = [
                (entry.needed("sha", entry.commit("sha")), f"{prefix}{name}/")
                for entry in found
                if entry.text("type") == "tree" and (name := _path_of(entry))
            ]
        for below, folder in folders:
            yield from self._walk(below, folder, budget)

    def _tree(self, tree: str, params: dict[str, str], budget: list[int]) -> tuple[tuple[Fields, ...], bool]:
        budget[0] -= 1
        if budget[0] < 0:
            raise CouldNotCheck(
                f"the files of {self._repository}",
                f"its folders take over {MAX_TREES} requests",
                retryable=False,
            )
        fields = _fields(self._client.get(f"{self._at}/git/trees/{tree}", params or None), "a tree")
        with _readable("a tree"):
            return fields.parts("tree"), fields.truth("truncated") is True

    def _contents(self, blobs: set[str]) -> Mapping[str, bytes]:
        """Blob id -> content, several at once; what is known is not asked for again."""
        found = {b: c for b in blobs if (c := self._cache.get(self._repository, b)) is not None}
        lacking = sorted(blobs - found.keys())
        if not lacking:
            return found
        with ThreadPoolExecutor(min(_AT_ONCE, len(lacking))) as pool:
            # A thread finds the open connection of the client through the context that it is given.
            tasks = {blob: pool.submit(copy_context().run, self._blob, blob) for blob in lacking}
            try:
                for blob, task in tasks.items():
                    found[blob] = task.result()
                    self._cache.put(self._repository, blob, found[blob])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return found

    def _blob(self, blob: str) -> bytes:
        fields = _fields(self._client.get(f"{self._at}/git/blobs/{blob}"), "a blob")
        what = f"the blob {blob} of {self._repository}"
        with _readable(what):
            encoding, text = fields.text("encoding"), fields.long_text("content")
        if encoding != "base64" or text is None:
            raise CouldNotCheck(what, f"it comes in the encoding {encoding!r:.20}", retryable=False)
        try:
            content = base64.b64decode(text)
        except (binascii.Error, ValueError):
            raise CouldNotCheck(what, "it is no base64") from None
        if not _has_id(content, blob):
            raise CouldNotCheck(what, "what came is not what has this id")
        return content


def _files_of(entries: Iterable[Fields], prefix: str) -> list[_File]:
    with _readable("a tree"):
        return [
            _File(prefix + path, entry.needed("sha", entry.commit("sha")), entry.whole("size") or 0)
            for entry in entries
            if (path := _path_of(entry)) and entry.text("type") == "blob" and entry.text("mode") in _FILES
        ]


def _path_of(entry: Fields) -> str:
    """A path within its tree; empty for one that leads elsewhere, which git itself never writes."""
    path = entry.text("path") or ""
    parts = path.split("/")
    return "" if {"", ".", "..", ".git"} & {p.lower() for p in parts} or "\0" in path else path


def _distinct(files: Iterable[_File]) -> Iterator[_File]:
    yield from {f.path: f for f in files}.values()


def _has_id(content: bytes, blob: str) -> bool:
    """Whether git calls this content so."""
    algorithm = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest() == blob


def _fields(found: Any, what: str) -> Fields:
    if not isinstance(found, dict):
        raise CouldNotCheck(what, "GitHub's answer is no object", retryable=False)
    return Fields(found)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """What GitHub answers and we cannot read is no mistake of the user's."""
    try:
        yield
    except UserMistake as error:
        raise CouldNotCheck(what, f"GitHub's answer cannot be read: {error}", retryable=False) from None

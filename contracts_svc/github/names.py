"""Names that GitHub gives to things, taken in only where they are whole and harmless.

They become parts of addresses that we call with our own rights, so what does not look like one is
refused: it could point anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts_svc.errors import UserMistake

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})\Z")
"""Letters, digits, hyphens; an underscore in the names of managed users (``mona_acme``)."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)")
_LONGEST_REF = 1_024


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """``owner/name`` of a repository. Raises UserMistake for what is none, however it is made."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    def __post_init__(self) -> None:
        if not _OWNER.match(self.owner) or not _NAME.match(self.name) or self.name in (".", ".."):
            raise UserMistake.of(
                f"{_shown(str(self))} is no name of a repository",
                "it is written as owner/name, as in octo/shop",
            )

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Read ``owner/name``. Raises UserMistake for anything else, ``..`` and slashes included."""
        owner, slash, name = text.partition("/")
        return cls(owner, name if slash else "")

    def same(self, other: RepositoryName | None) -> bool:
        """Whether both name one repository: GitHub does not tell letter case apart."""
        return other is not None and str(self).casefold() == str(other).casefold()


def commit_id(text: str) -> str:
    """A full commit, tree or blob id (SHA-1 or SHA-256), in lower case. Raises UserMistake."""
    lower = text.lower()
    if not _COMMIT.match(lower):
        raise UserMistake.of(f"{_shown(text)} is no full commit id", "it has 40 or 64 hexadecimal digits")
    return lower


def branch_name(text: str) -> str:
    """The name of a branch, as git allows it (git-check-ref-format). Raises UserMistake."""
    wrong = _REF_FORBIDDEN.search(text) or text.startswith(("/", ".", "-")) or text.endswith(("/", "."))
    if not text or text == "@" or wrong or len(text) > _LONGEST_REF or not _encodes(text):
        raise UserMistake.of(f"{_shown(text)} is no name of a branch", "see `git help check-ref-format`")
    return text


def _encodes(text: str) -> bool:
    """Whether the text has no half of a surrogate pair, which no address can hold."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else text[:99] + "…")

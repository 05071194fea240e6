"""Why a Delta or Iceberg table cannot be read, in the same words for both."""

from __future__ import annotations

from contracts_svc.errors import CouldNotCheck
from contracts_svc.ports import S3Access

_DENIED = ("status 403", "access_denied", "access denied", "accessdenied", "forbidden", "unauthorized",
           "permission denied")  # fmt: skip
_LONGEST = 500


def no_package(kind: str, error: ImportError) -> CouldNotCheck:
    """The package that reads tables of this kind (``Delta``) is not installed."""
    hint = f"pip install 'contracts-svc[{kind.lower()}]'"
    return CouldNotCheck(f"{kind} tables", f"a package is missing: {error}", hint, retryable=False)


def unreadable(
    kind: str, location: str, error: Exception, access: S3Access | None, *, retryable: bool
) -> CouldNotCheck:
    """A table of this kind could not be read; no secret of ``access`` is told."""
    text = access.scrub(str(error)) if access else str(error)
    text = " ".join(text.split())[:_LONGEST] or type(error).__name__
    if any(sign in text.lower() for sign in _DENIED):
        hint = "check the S3 access key and secret key, and that they may read this bucket"
        return CouldNotCheck(location, f"access denied: {text}", hint, retryable=False)
    return CouldNotCheck(location, f"the {kind} table cannot be read: {text}", retryable=retryable)

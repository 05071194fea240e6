"""Whether a webhook comes from GitHub.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

HEADER = "X-Hub-Signature-256"
_WRITTEN = re.compile(r"sha256=([0-9a-f]{64})\Z")


def is_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether ``header`` is the signature of these exact bytes under one of the secrets.

    Several are valid at once while a secret is changed. Without a secret nothing is signed. Compares
    with every secret in constant time, so that the time taken tells nothing.
    """
    match = _WRITTEN.match(header or "")
    given = match[1] if match else "0" * 64
    fits = [hmac.compare_digest(_signature(body, secret), given) for secret in secrets if secret]
    return match is not None and any(fits)


def signature(body: bytes, secret: str) -> str:
    """The header's value for these bytes, as GitHub writes it."""
    return f"sha256={_signature(body, secret)}"


def _signature(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()

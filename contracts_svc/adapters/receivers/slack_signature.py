"""Whether a request really comes from Slack.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import hashlib
import hmac

WINDOW = 300
"""Seconds that a request may be old; what is older may be somebody playing it again."""


def verified(secret: str, timestamp: str, body: bytes, signature: str, now: float) -> bool:
    """Whether the headers ``X-Slack-Request-Timestamp`` and ``X-Slack-Signature`` fit the body.

    ``secret`` is the app's signing secret, ``now`` in seconds since 1970.
    """
    if not secret or not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > 12:
        return False
    if abs(now - int(timestamp)) > WINDOW:
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))

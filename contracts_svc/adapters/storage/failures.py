"""Why files cannot be listed or read, in words: the cause, the way out, and whether trying again helps."""

from __future__ import annotations

import errno
import re

_DENIED = re.compile(
    r"AWS Error (ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH)|HTTP status 403"
)
_UNREACHABLE = re.compile(r"AWS Error (NETWORK_CONNECTION|REQUEST_TIMEOUT)|curlCode")

CHECK_KEYS = "check the S3 access key and secret key, and that they may list and read this bucket"
CHECK_ENDPOINT = "check the S3 endpoint and the network"


def classify(error: Exception, text: str, bucket: str, kind: str) -> tuple[str, str, bool]:
    """Cause, hint and whether trying again can help."""
    if "NO_SUCH_BUCKET" in text:
        return *no_bucket(bucket), False
    if _DENIED.search(text):
        return f"access denied: {text}", CHECK_KEYS, False
    if _UNREACHABLE.search(text):
        return f"the S3 server did not answer: {text}", CHECK_ENDPOINT, True
    if isinstance(error, FileNotFoundError):
        return "the file is gone", "it was there when the folder was listed: check again", True
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return f"access denied: {text}", "check the permissions of the file and its folders", False
    if "AWS Error" in text or (isinstance(error, OSError) and error.errno is not None):
        return text, "", True
    return f"not a {kind} file, or a damaged one: {text}", "write the file again", False


def no_bucket(bucket: str) -> tuple[str, str]:
    """Cause and hint."""
    return f"the bucket {bucket} does not exist", "check the location and the S3 endpoint"

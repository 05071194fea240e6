"""Listing a bucket over the S3 protocol: a thousand objects a request, each with its ETag.

Signed with AWS Signature Version 4 (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
Of the standard library only, since a check of data that did not change does no more than list it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.parse import quote, unquote, unquote_plus
from xml.etree import ElementTree

from contracts_svc.adapters.storage.failures import CHECK_ENDPOINT, CHECK_KEYS, no_bucket
from contracts_svc.adapters.storage.places import Place, hidden, is_wanted
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import ALL, DataFile, Partitions, hive_partition
from contracts_svc.ports import S3Access

REQUEST_SECONDS = 10
ATTEMPTS = 3
PAUSE_SECONDS = 0.2
"""Before the second attempt; before each further one, four times as long."""
_EMPTY = hashlib.sha256(b"").hexdigest()
_LONGEST_PAGE = 64 << 20
_AGAIN = (408, 429, 500, 502, 503, 504)


def s3_files(place: Place, access: S3Access, partitions: Partitions = ALL) -> Iterator[DataFile]:
    """The objects of a place, in order, without those of folders that are not wanted, where folders of
    these partitions are the topmost ones. Raises CouldNotCheck."""
    key = place.key
    if not place.is_glob and key and not key.endswith("/"):
        # Of the keys that begin alike, the shortest comes first.
        first = next(_objects(place, access, key, most=1), None)
        if first is not None and first.path == f"s3://{place.path}":
            yield first
            return
        key += "/"
    meant = place.matches()
    prefix = place.fixed.partition("/")[2] if place.is_glob else key
    # Of what the place itself says, its folders do not.
    named = hive_partition(prefix)
    below = {key: wanted for key, wanted in partitions.items() if key not in named}
    for wanted in _folders(place, access, prefix, below):
        for file in _objects(place, access, wanted):
            if not file.path.endswith("/") and meant(file.path.removeprefix("s3://")):
                yield file


def _folders(place: Place, access: S3Access, prefix: str, partitions: Partitions) -> Iterator[str]:
    """What the keys of all objects begin with that may be wanted."""
    if not partitions:
        yield prefix
        return
    for number, page in enumerate(_pages(place, access, prefix, delimiter="/")):
        below = [
            (path, path.rstrip("/").rpartition("/")[2]) for path in page.found("CommonPrefixes", "Prefix")
        ]
        below = [(path, name) for path, name in below if not hidden(f"{name}/file")]
        if not number and any(is_wanted(name, partitions) is None for _, name in below):
            # Other folders come first: there may be more of them than pages of objects.
            yield prefix
            return
        for path, name in below:
            if is_wanted(name, partitions) is not False:
                key = unquote(name.partition("=")[0])
                yield from _folders(place, access, path, {k: v for k, v in partitions.items() if k != key})


def _objects(place: Place, access: S3Access, prefix: str, most: int = 1000) -> Iterator[DataFile]:
    for page in _pages(place, access, prefix, most):
        for told in page.entries("Contents"):
            yield _file(place.bucket, told, page.decoded(told["Key"]))


class _Page:
    """One answer of the server."""

    def __init__(self, answer: ElementTree.Element) -> None:
        self._answer = answer
        self._space = answer.tag.partition("}")[0] + "}" if answer.tag.startswith("{") else ""
        self._coded = self.told("EncodingType") == "url"

    def told(self, name: str) -> str:
        return self._answer.findtext(f"{self._space}{name}") or ""

    def entries(self, name: str) -> Iterator[dict[str, str]]:
        for entry in self._answer.iterfind(f"{self._space}{name}"):
            yield {e.tag.removeprefix(self._space): e.text or "" for e in entry}

    def found(self, name: str, inner: str) -> list[str]:
        return [self.decoded(e[inner]) for e in self.entries(name)]

    def decoded(self, key: str) -> str:
        return unquote_plus(key) if self._coded else key


def _pages(
    place: Place, access: S3Access, prefix: str, most: int = 1000, delimiter: str = ""
) -> Iterator[_Page]:
    asked = {"list-type": "2", "prefix": prefix, "max-keys": str(most), "encoding-type": "url"}
    asked |= {"delimiter": delimiter} if delimiter else {}
    while True:
        page = _Page(_page(place, access, asked))
        yield page
        token = page.told("NextContinuationToken")
        if most == 1 or not token or page.told("IsTruncated") != "true":
            return
        asked["continuation-token"] = token


def _file(bucket: str, told: Mapping[str, str], key: str) -> DataFile:
    size = int(told.get("Size") or 0)
    when = told.get("LastModified", "")
    return DataFile(
        path=f"s3://{bucket}/{key}",
        size=size,
        version=f"{told.get('ETag', '').strip(chr(34)) or when}-{size}",
        modified=datetime.fromisoformat(when) if when else None,
        partition=hive_partition(key),
    )


def _page(place: Place, access: S3Access, asked: Mapping[str, str]) -> ElementTree.Element:
    what = f"s3://{place.path}"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * 4 ** (attempt - 1))
        try:
            with urllib.request.urlopen(
                _signed(place.bucket, access, asked), timeout=REQUEST_SECONDS
            ) as answer:
                return ElementTree.fromstring(answer.read(_LONGEST_PAGE))
        except urllib.error.HTTPError as error:
            with error:
                failure = _refused(what, place.bucket, access, error)
            if error.code not in _AGAIN:
                raise failure from None
        except (OSError, HTTPException) as error:
            # URLError wraps what happened into words of its own: <urlopen error ...>.
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            cause = f"the S3 server did not answer: {access.scrub(str(why))}"
            failure = CouldNotCheck(what, cause, CHECK_ENDPOINT)
        except (ElementTree.ParseError, ValueError) as error:
            cause = f"the answer of the S3 server is no list of objects: {error}"
            raise CouldNotCheck(what, cause, CHECK_ENDPOINT, retryable=False) from error
    raise failure


def _refused(what: str, bucket: str, access: S3Access, error: urllib.error.HTTPError) -> CouldNotCheck:
    code, message = _code(error)
    told = access.scrub(f"{code or f'HTTP status {error.code}'}{f': {message}' if message else ''}")
    elsewhere = error.headers.get("x-amz-bucket-region")
    if code == "NoSuchBucket":
        return CouldNotCheck(what, *no_bucket(bucket), retryable=False)
    if elsewhere and elsewhere != access.region:
        cause = f"the bucket {bucket} is in the region {elsewhere}, not in {access.region}"
        return CouldNotCheck(what, cause, "set the region of its S3 settings", retryable=False)
    if error.code in (401, 403):
        return CouldNotCheck(what, f"access denied: {told}", CHECK_KEYS, retryable=False)
    if error.code == 404:
        return CouldNotCheck(what, *no_bucket(bucket), retryable=False)
    return CouldNotCheck(what, f"the S3 server could not answer: {told}", "", retryable=error.code in _AGAIN)


def _code(error: urllib.error.HTTPError) -> tuple[str, str]:
    """S3's own name of an error, and what it says of it."""
    try:
        found = ElementTree.fromstring(error.read(1 << 20))
    except (ElementTree.ParseError, OSError, HTTPException, ValueError):
        return "", ""
    return found.findtext("{*}Code") or "", found.findtext("{*}Message") or ""


def _signed(bucket: str, access: S3Access, asked: Mapping[str, str]) -> urllib.request.Request:
    scheme, host, path = _address(bucket, access)
    query = "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in sorted(asked.items()))
    headers = {"Host": host}
    if access.access_key:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers |= {"x-amz-content-sha256": _EMPTY, "x-amz-date": now}
        if access.session_token:
            headers["x-amz-security-token"] = access.session_token
        headers["Authorization"] = _authorization(access, path, query, headers, now)
    return urllib.request.Request(f"{scheme}://{host}{path}?{query}", headers=headers)


def _address(bucket: str, access: S3Access) -> tuple[str, str, str]:
    """Scheme, host and path under which a bucket is asked."""
    scheme, _, host = access.endpoint.rpartition("://")
    host = host.rstrip("/") or f"s3.{access.region}.amazonaws.com"
    # A certificate for *.s3... does not cover a name with dots in it.
    if access.path_style or "." in bucket:
        return scheme or "https", host, f"/{_quoted(bucket)}"
    return scheme or "https", f"{bucket}.{host}", "/"


def _authorization(access: S3Access, path: str, query: str, headers: Mapping[str, str], now: str) -> str:
    lower = {k.lower(): v for k, v in sorted(headers.items(), key=lambda pair: pair[0].lower())}
    names = ";".join(lower)
    lines = "".join(f"{k}:{v}\n" for k, v in lower.items())
    request = "\n".join(("GET", path, query, lines, names, _EMPTY))
    scope = f"{now[:8]}/{access.region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{access.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{access.access_key}/{scope}"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")

"""OpenID Connect, as a client: the authorization code flow with PKCE, by authlib.

What is checked of an ID token is OpenID Connect Core 1.0, section 3.1.3.7; of an answer, RFC 9207.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from contracts_svc.errors import CouldNotCheck, Problem
from contracts_svc.model import Json
from contracts_svc.ports_people import Attempt, LoginRefused

SECONDS = 10.0
"""How long the provider may take for one answer."""
MAX_ANSWER = 1_000_000
KEPT_SECONDS = 3_600.0
"""How long what the provider says of itself is taken for granted."""
LEEWAY_SECONDS = 60
"""How far the provider's clock may be from ours."""
ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "EdDSA")
"""Signatures that only the provider can make. Not HS256, whose key every holder of the secret has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """This service, as it is registered at the provider."""

    id: str
    secret: str = ""
    """Empty: a public client, which PKCE alone protects."""
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")


class OpenIdProvider:
    """:class:`contracts_svc.ports_people.IdentityProvider`. Safe for use by many threads."""

    def __init__(self, issuer: str, client: Client, *, seconds: float = SECONDS) -> None:
        self._issuer = issuer
        self._client = client
        # No redirects: a provider that moves says so in its issuer.
        self._http = httpx.Client(timeout=seconds, follow_redirects=False)
        self._lock = Lock()
        self._metadata: tuple[float, OpenIDProviderMetadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def begin(self) -> Attempt:
        """Begin a login. Raises CouldNotCheck."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._said("authorization_endpoint"),
            self._client.id,
            "code",
            redirect_uri=self._client.redirect_uri,
            scope=" ".join(self._client.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Attempt(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, answer: Mapping[str, str], attempt: Attempt, now: datetime) -> Mapping[str, Json]:
        """What the provider says of who came back. Raises LoginRefused, CouldNotCheck."""
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise _refused("the answer is to another login: its state is not ours")
        self._same_issuer(answer)
        if "error" in answer:
            said = answer.get("error_description") or answer["error"]
            raise _refused(f"the identity provider refused: {said:.200}")
        if not answer.get("code"):
            raise _refused("the identity provider's answer has no code")
        tokens = self._tokens(answer["code"], attempt.verifier)
        claims = self._claims(tokens, attempt.nonce, now)
        # The ID token is signed, so that what it says counts more.
        return self._user_info(tokens, str(claims["sub"])) | claims

    def _same_issuer(self, answer: Mapping[str, str]) -> None:
        """Of whom the answer is (RFC 9207): another provider could send on a code that is not its own."""
        told = self._provider().get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", None if told else self._issuer) != self._issuer:
            raise _refused("the answer is of another identity provider than ours")

    # --- the code for tokens ----------------------------------------------------------------------

    def _tokens(self, code: str, verifier: str) -> Mapping[str, Any]:
        url = self._said("token_endpoint")
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._client.redirect_uri, code=code, code_verifier=verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        auth = ClientAuth(self._client.id, self._client.secret, self._auth_method())
        url, headers, body = auth.prepare("POST", url, headers, body)
        status, value = self._ask("POST", url, headers=headers, content=body.encode())
        if status in (400, 401) and isinstance(value.get("error"), str):
            # invalid_client is our own mistake; anything else is wrong with this code.
            if value["error"] in ("invalid_client", "unauthorized_client"):
                raise self._broken(f"it does not take this service's client id and secret: {value['error']}")
            raise _refused(f"the identity provider does not take the code: {value['error']:.100}")
        if status != 200 or not isinstance(value.get("id_token"), str):
            raise self._broken(f"it answered {status} without an ID token to a code")
        return value

    def _auth_method(self) -> str:
        if not self._client.secret:
            return "none"
        known = self._provider().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"

    # --- what the tokens say ----------------------------------------------------------------------

    def _claims(self, tokens: Mapping[str, Any], nonce: str, now: datetime) -> dict[str, Json]:
        token = self._verified(tokens["id_token"])
        options: Any = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client.id},
        }
        params = {"nonce": nonce, "client_id": self._client.id, "access_token": tokens.get("access_token")}
        claims = CodeIDToken(token.claims, token.header, options, params)
        try:
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except JoseError as error:
            raise _refused(f"its ID token is not good: {_said(error)}") from None
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise _refused("its ID token does not say who it is about")
        return dict(claims)

    def _verified(self, text: str) -> jwt.Token:
        """The ID token, signed by one of the provider's keys. A key that is not known may be a new one."""
        supported = self._provider().get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = [a for a in ALGORITHMS if a in supported]
        known = self._kept_keys()
        if known is not None:
            try:
                return jwt.decode(text, known, algorithms=algorithms)
            except (JoseError, ValueError):
                pass
        try:
            return jwt.decode(text, self._fresh_keys(), algorithms=algorithms)
        except (JoseError, ValueError) as error:
            raise _refused(f"its ID token is not good: {_said(error)}") from None

    def _user_info(self, tokens: Mapping[str, Any], subject: str) -> dict[str, Json]:
        """What only the user info endpoint says: some providers tell groups only there."""
        url, access = self._provider().get("userinfo_endpoint"), tokens.get("access_token")
        if not url or not isinstance(access, str):
            return {}
        headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
        status, value = self._ask("GET", self._safe(url), headers=headers)
        if status != 200:
            raise self._broken(f"it answered {status} to a question about the person")
        if value.get("sub") != subject:
            raise _refused("what it says of the person is of somebody else")
        return value

    # --- what the provider says of itself -----------------------------------------------------------

    def _said(self, key: str) -> str:
        return self._safe(self._provider().get(key))

    def _provider(self) -> OpenIDProviderMetadata:
        with self._lock:
            kept = self._metadata
        if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        status, value = self._ask("GET", get_well_known_url(self._issuer, external=True))
        if status != 200:
            raise self._broken(f"it answered {status} to the question for its configuration")
        found = OpenIDProviderMetadata(value)
        if found.get("issuer") != self._issuer:
            raise self._broken(f"it calls itself {found.get('issuer')!r:.200}, not {self._issuer!r}")
        methods = found.get("code_challenge_methods_supported")
        if methods is not None and "S256" not in methods:
            raise self._broken("it does not know PKCE with S256")
        with self._lock:
            self._metadata = (time.monotonic(), found)
        return found

    def _kept_keys(self) -> KeySet | None:
        with self._lock:
            kept = self._keys
        return kept[1] if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS else None

    def _fresh_keys(self) -> KeySet:
        status, value = self._ask("GET", self._said("jwks_uri"))
        try:
            if status != 200:
                raise ValueError(f"status {status}")
            found = KeySet.import_key_set(value)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise self._broken(f"its keys cannot be read: {error}") from None
        with self._lock:
            self._keys = (time.monotonic(), found)
        return found

    def _safe(self, url: object) -> str:
        """An endpoint, over TLS where the issuer is."""
        secure = self._issuer.startswith("https://")
        if not isinstance(url, str) or not url.startswith("https://" if secure else ("https://", "http://")):
            raise self._broken(f"an endpoint of it is {url!r:.200}, which is no {'https ' * secure}address")
        return url

    def _ask(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer; an answer that is none is an empty one."""
        body = bytearray()
        try:
            with self._http.stream(method, url, **more) as answer:
                for some in answer.iter_bytes():
                    body += some
                    if len(body) > MAX_ANSWER:
                        raise self._broken(f"an answer of it is longer than {MAX_ANSWER:,} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._broken(str(error) or type(error).__name__) from None
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        return answer.status_code, value if isinstance(value, dict) else {}

    def _broken(self, cause: str) -> CouldNotCheck:
        return CouldNotCheck(f"who you are: the identity provider {self._issuer}", cause, "try again later")


def _refused(why: str) -> LoginRefused:
    return LoginRefused([Problem(None, f"you are not logged in: {why}", "begin again at /login")])


def _said(error: Exception) -> str:
    # Never the token, which some messages hold.
    return getattr(error, "description", "") or getattr(error, "error", "") or type(error).__name__

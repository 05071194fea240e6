"""An OpenID provider on loopback, of authlib's own server classes: it rejects a code without its verifier."""

from __future__ import annotations

import functools
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "contracts", "planted-client-secret"


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    """The one client; ``secret`` empty: a public one."""

    redirect_uri: str
    secret: str = CLIENT_SECRET
    client_id: str = CLIENT_ID

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return bool(self.secret) and client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in (("client_secret_basic", "client_secret_post") if self.secret else ("none",))

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """A code that was given out."""

    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    user: Mapping[str, Any]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, values: list[tuple[str, str]]) -> None:
        self._values = values

    @property
    def data(self) -> dict[str, str]:
        return dict(self._values)

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in self._values:
            found[name].append(value)
        return found


class _Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: str) -> None:
        super().__init__(method, f"http://127.0.0.1{path}", headers=headers)
        self._query, self._form = dict(parse_qsl(urlsplit(path).query)), dict(parse_qsl(body))
        self.payload = _Payload([*parse_qsl(urlsplit(path).query), *parse_qsl(body)])

    @property
    def args(self) -> dict[str, str]:
        return self._query

    @property
    def form(self) -> dict[str, str]:
        return self._form


@functools.cache
def _first_key() -> RSAKey:
    # Making one takes a while.
    return RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})


@dataclass
class Provider:
    """What the provider is and how it may err; change it while it runs."""

    now: datetime
    redirect_uri: str
    issuer: str = ""
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "ada-1", "email": "ada@example.com"})
    client: Client = field(init=False)
    key: RSAKey = field(init=False)
    codes: dict[str, Code] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Every path that was asked for."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What is said otherwise in the configuration."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What is said otherwise in ID tokens; a nonce that is None is left out."""
    user_info: dict[str, Any] | None = None
    answer: Callable[[str], tuple[int, bytes] | None] = field(default=lambda path: None)
    """Another answer to a path."""

    def __post_init__(self) -> None:
        self.client = Client(self.redirect_uri)
        self.key = _first_key()

    def rotate(self, kid: str) -> None:
        """Sign with a new key from now on, and show that one alone."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})

    def configuration(self) -> dict[str, Any]:
        """What the provider says of itself."""
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        if self.user_info is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return found | self.metadata


def _server(provider: Provider) -> AuthorizationServer:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            provider.codes[code] = Code(
                redirect_uri=data["redirect_uri"],
                scope=request.scope,
                nonce=data.get("nonce"),
                code_challenge=data.get("code_challenge"),
                code_challenge_method=data.get("code_challenge_method"),
                user=request.user,
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            provider.codes = {k: c for k, c in provider.codes.items() if c is not authorization_code}

        def authenticate_user(self, authorization_code: Code) -> Any:
            return authorization_code.user

    class IdTokens(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(c.nonce == nonce for c in provider.codes.values())

        def resolve_client_private_key(self, client: Any) -> RSAKey:
            return provider.key

        def get_encode_header(self, client: Any) -> dict[str, Any]:
            return {"alg": "RS256", "kid": provider.key.kid}

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            now = int(provider.now.timestamp())
            return {
                "iss": provider.issuer,
                "aud": [client.client_id],
                "iat": now,
                "auth_time": now,
                "exp": now + 300,
            }

        def get_authorization_code_claims(self, authorization_code: Any) -> dict[str, Any]:
            left_out = "nonce" in provider.claims and provider.claims["nonce"] is None
            return {} if left_out else dict(super().get_authorization_code_claims(authorization_code))

        def generate_user_info(self, user: Any, scope: str) -> dict[str, Any]:
            # The last word of what an ID token says.
            return dict(user) | {k: v for k, v in provider.claims.items() if v is not None}

    class Server(AuthorizationServer):  # type: ignore[misc]
        def query_client(self, client_id: str) -> Client | None:
            return provider.client if client_id == provider.client.client_id else None

        def save_token(self, token: Any, request: Any) -> None:
            return None

        def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
            return None

        def create_oauth2_request(self, request: Any) -> Any:
            return request

        def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
            return status, body, headers

    server = Server()
    server.register_token_generator("default", BearerTokenGenerator(lambda *_, **__: "an-access-token"))
    server.register_grant(Grant, [IdTokens(require_nonce=True), CodeChallenge(required=True)])
    return server


class _Handler(BaseHTTPRequestHandler):
    provider: Provider
    server_: AuthorizationServer

    def do_GET(self) -> None:
        self._answered("")

    def do_POST(self) -> None:
        self._answered(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _answered(self, body: str) -> None:
        provider, path = self.provider, urlsplit(self.path).path
        provider.asked.append(path)
        other = provider.answer(path)
        if other is not None:
            self._send(other[0], other[1], [])
            return
        request = None
        if path in ("/authorize", "/token"):
            request = _Request(self.command, self.path, dict(self.headers), body)
        if path == "/authorize":
            grant = self.server_.get_consent_grant(request, provider.user)
            self._send(*self.server_.create_authorization_response(request, provider.user, grant))
        elif path == "/token":
            self._send(*self.server_.create_token_response(request))
        else:
            documents = {
                "/.well-known/openid-configuration": provider.configuration,
                "/keys": lambda: {"keys": [provider.key.as_dict(private=False)]},
                "/userinfo": lambda: provider.user_info,
            }
            self._send(200, documents[path](), [])

    def _send(self, status: int, body: Any, headers: list[tuple[str, str]]) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def provider_on_loopback(now: datetime, redirect_uri: str) -> Iterator[Provider]:
    """A provider that runs while the context does."""
    provider = Provider(now, redirect_uri)
    handler = type("Handler", (_Handler,), {"provider": provider, "server_": _server(provider)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def code_and_state(location: str) -> dict[str, str]:
    """The parameters of an address that a browser is sent back to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

"""The API on the wire: connections that send too much, too slowly, or go away."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from contracts_svc.api import limits
from contracts_svc.api.problems import ProblemDetails
from contracts_svc.api.wire import MAX_HEAD, protocol
from tests.acceptance.test_api import World
from tests.fixtures_store import memory_store

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/contracts HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def served(world: World, seconds: float) -> Iterator[int]:
    """The application on a port of loopback; ``seconds`` a head may take."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            world.app, http=protocol(seconds), log_level="error", lifespan="off", timeout_keep_alive=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    store = memory_store()
    yield World(store)
    store.close()


@pytest.fixture(scope="module")
def port(world: World) -> Iterator[int]:
    with served(world, seconds=20) as found:
        yield found


def said(port: int, *parts: bytes) -> bytes:
    """What is answered until the connection ends; parts are sent as far as they are taken."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = b""
        try:
            while some := connection.recv(65_536):
                found += some
        except ConnectionResetError:
            pass
        return found


CLOSE = b"Connection: close\r\n\r\n"


def test_a_head_is_bounded(port: int) -> None:
    assert b" 200 OK" in said(port, GET + b"X: " + b"a" * (MAX_HEAD - 1_000) + b"\r\n" + CLOSE)
    large = b"a" * 100_000
    for parts in (
        [GET, b"X: ", *[large] * 500],
        [b"GET /", *[large] * 500],
        [GET, *[b"X: a\r\n" * 10_000] * 500],
    ):
        answer = said(port, *parts)
        assert b" 400 " in answer or answer == b"", answer[:100]
        assert b" 200 " not in answer


def test_a_trailer_without_an_end_is_bounded(port: int) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    answer = said(port, head, *[b"X: " + b"a" * 1_000_000 + b"\r\n"] * 200)
    assert b" 200 " not in answer


def test_several_requests_on_one_connection_are_answered(port: int) -> None:
    padded = GET + b"X: " + b"a" * 30_000 + b"\r\n\r\n"
    answer = said(port, *[padded] * 20, GET + CLOSE)
    assert answer.count(b"HTTP/1.1 200 OK") == 21
    body = b"x" * 200_000
    whole = POST + b"Content-Length: 200000\r\n\r\n" + body
    assert said(port, *[whole] * 5, GET + CLOSE).count(b"HTTP/1.1 401") == 5


def test_what_means_two_things_is_refused(port: int) -> None:
    for head in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + CLOSE,
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: -4\r\n\r\nabcd",
        b"Content-Length: 99999999999999999999999\r\n\r\nabcd",
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    ):
        answer = said(port, POST + head)
        assert answer.startswith(b"HTTP/1.1 400"), answer[:100]
        assert answer.count(b"HTTP/1.1") == 1


def test_what_is_no_request_is_told_in_the_shape_of_every_error(port: int) -> None:
    for sent in (b"FOO /api/v1/contracts HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n"):
        head, _, body = said(port, sent).partition(b"\r\n\r\n")
        assert b"content-type: application/problem+json\r\n" in head + b"\r\n"
        told = json.loads(body)
        assert ProblemDetails.model_validate(told).status == 400
        assert told["request_id"].encode() in head


def test_who_sends_half_a_head_is_not_waited_for(world: World) -> None:
    with served(world, seconds=0.2) as quick:
        for parts in ((), (GET,), (GET + b"\r\n", GET), (GET + b"\r\n" + GET,)):
            answer = said(quick, *parts)
            assert answer.count(b" 200 OK") == (1 if b"\r\n\r\n" in b"".join(parts) else 0), parts


def test_who_sends_half_a_body_is_told_and_not_waited_for(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    token = world.token("admin").encode()
    head = POST + b"Authorization: Bearer " + token + b"\r\nContent-Length: 1000\r\n\r\n"
    answer = said(port, head, b"id: a\n")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"urn:contracts:problem:too-slow" in answer


def test_a_body_that_comes_slowly_but_steadily_is_taken(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(limits, "SLOWEST", 10)
    token = world.token("admin").encode()
    head = POST + b"Authorization: Bearer " + token + b"\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        for _ in range(4):
            connection.sendall(b"id: a")
            time.sleep(0.2)
        assert connection.recv(100).startswith(b"HTTP/1.1 422")


def test_who_goes_away_is_no_defect(world: World, port: int, caplog: pytest.LogCaptureFixture) -> None:
    token = world.token("admin").encode()
    with caplog.at_level("INFO", logger="contracts.api"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                POST + b"Authorization: Bearer " + token + b"\r\nContent-Length: 1000\r\n\r\nid: a"
            )
            time.sleep(0.2)
        # The log is written once it is noticed.
        for _ in range(300):
            if caplog.records:
                break
            time.sleep(0.01)
    assert [(r.message, getattr(r, "status", 0)) for r in caplog.records] == [("request", 400)]

"""Crowds: clients that hold connections to a server that is measured."""

from __future__ import annotations

import http.client
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Semaphore, Thread

import pytest

from bench.contenders import Mismatch
from bench.crowd import TooFewFiles, allow_open_files, crowd
from bench.front import until_alone
from bench.history import register
from bench.holding import Orders, Report
from bench.silent import PATH
from bench.stage import Stage

HEAD = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
OK = b"HTTP/1.1 200 OK\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"
TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\n\r\n"
CLIENTS = 30
PATIENCE_SECONDS = 20


class Listening(ThreadingTCPServer):
    """Answers each head at once, and the first byte of a body with 408 and the end."""

    request_queue_size = 128

    def __init__(self, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.port = self.socket.getsockname()[1]
        self.connected = Semaphore(0)


class Handler(StreamRequestHandler):
    """Answers one client of `Listening`."""

    server: Listening

    def handle(self) -> None:
        self.server.connected.release()
        # Clients of a crowd end their connections with a reset.
        with suppress(ConnectionResetError):
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(self.server.answer)
            if self.rfile.read(1):
                self.wfile.write(TIMEOUT)


@contextmanager
def listening(answer: bytes) -> Iterator[Listening]:
    """Listen until the context ends."""
    with Listening(answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_clients_hold_their_connections_until_they_are_ended() -> None:
    with listening(OK) as server, crowd(Orders(server.port, CLIENTS, HEAD)) as clients:
        report = clients.end()

    assert report == Report(open=CLIENTS, ended={}, shortest=0, longest=0)


def test_a_slow_sender_that_is_ended_is_counted_and_comes_again() -> None:
    with listening(b"") as server:
        orders = Orders(server.port, CLIENTS, HEAD, drip=b"body", again=True)
        with crowd(orders) as clients:
            for _ in range(2 * CLIENTS):
                assert server.connected.acquire(timeout=PATIENCE_SECONDS)
            report = clients.end()

    assert report.ended.keys() == {"408"}
    assert report.ended["408"] >= CLIENTS


def test_a_crowd_that_is_refused_is_no_measurement(capfd: pytest.CaptureFixture[str]) -> None:
    with listening(UNAVAILABLE) as server:
        with pytest.raises(Mismatch, match="30 connections cannot be held"):
            with crowd(Orders(server.port, CLIENTS, HEAD)):
                pass

    assert "Refused: b'HTTP/1.1 503" in capfd.readouterr().err


def test_a_limit_of_open_files_that_is_too_low_is_said_in_one_line() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    with pytest.raises(TooFewFiles) as raised:
        allow_open_files(hard)

    assert str(raised.value) == (
        f"{hard:,} open connections need {hard + 512:,} open files, and the hard limit is "
        f"{hard:,}; raise it (ulimit -Hn)."
    )


def test_the_silent_route_is_silent_and_the_front_answers_beside_it() -> None:
    with Stage() as stage:
        database = stage.sqlite()
        register(database, 1, stage.folder / "home")
        with stage.silent(database) as server:
            with crowd(Orders(server.port, CLIENTS, HEAD)) as clients:
                connection = http.client.HTTPConnection("127.0.0.1", server.port)
                connection.request("GET", "/livez")
                assert connection.getresponse().status == 200
                connection.close()
                assert clients.end().open == CLIENTS

            until_alone(server)

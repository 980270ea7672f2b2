"""A gate before the real server: open, or as bad as servers and networks can be."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

PATIENCE_SECONDS: Final = 30


class Seen(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


Way = Callable[["Gate", socket.socket, bytes], None]
"""What the gate does with a connection and the bytes of its request."""


class Gate:
    """Listens on a port of its own. `way` says what becomes of each request."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.way: Way = forward
        self.seen: list[Seen] = []
        self.connections = 0
        self.tls: ssl.SSLContext | None = None
        self.is_over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let all that hold a connection go."""
        self.is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # The peer may hang up at any time; that is what is tried.
        with contextlib.suppress(OSError), self._secured(client) as client:
            for request in requests(client):
                head, _, body = request.partition(b"\r\n\r\n")
                line, *rest = head.decode().split("\r\n")
                pairs = (each.split(": ", 1) for each in rest)
                headers = {name.lower(): value for name, value in pairs}
                self.seen.append(Seen(line, headers, body))
                self.way(self, client, request)

    def _secured(self, client: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(client, server_side=True) if self.tls else client


def requests(client: socket.socket) -> Iterator[bytes]:
    """Yield the requests of a connection, each with its body."""
    while head := _until_blank(client):
        length = 0
        for line in head.decode().lower().split("\r\n"):
            if line.startswith("content-length:"):
                length = int(line.partition(":")[2])
        body = b""
        while len(body) < length and (more := client.recv(length - len(body))):
            body += more
        yield head + body


def _until_blank(client: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n") and (octet := client.recv(1)):
        head += octet
    return head


def forward(gate: Gate, client: socket.socket, request: bytes) -> None:
    """Pass a request on to the server, and its answer back."""
    with contextlib.suppress(OSError):
        client.sendall(passed_on(gate, request))


def passed_on(gate: Gate, request: bytes) -> bytes:
    """Return the server's answer to a request."""
    line, _, rest = request.partition(b"\r\n")
    method, path, version = line.split(b" ")
    if path.startswith(b"http://"):  # as a proxy is asked
        path = urlsplit(path).path
    with socket.create_connection(("127.0.0.1", gate.behind), PATIENCE_SECONDS) as server:
        server.sendall(b" ".join((method, path, version)) + b"\r\n" + rest)
        [answer] = [next(requests(server))]
    return answer


def silent(gate: Gate, client: socket.socket, _request: bytes) -> None:
    """Say nothing for as long as the test lasts."""
    gate.is_over.wait(PATIENCE_SECONDS * 4)
    client.close()


def swallow(gate: Gate, client: socket.socket, request: bytes) -> None:
    """Let the server record the callback, and keep its receipt."""
    passed_on(gate, request)
    silent(gate, client, request)


def drip(gate: Gate, client: socket.socket, request: bytes) -> None:
    """Answer well, a byte a second."""
    for octet in passed_on(gate, request):
        client.sendall(bytes([octet]))
        if gate.is_over.wait(1):
            return


def flood(gate: Gate, client: socket.socket, _request: bytes) -> None:
    """Answer with a header that never ends."""
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while not gate.is_over.is_set():
        client.sendall(b"x" * 65536)


def hang_up(_gate: Gate, client: socket.socket, _request: bytes) -> None:
    """Reset the connection once the request has come."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close()


def babble(_gate: Gate, client: socket.socket, _request: bytes) -> None:
    """Speak another protocol."""
    client.sendall(b"220 mail.example ESMTP\r\n")
    client.shutdown(socket.SHUT_RDWR)


def answering(status: str, body: bytes = b"{}", **headers: str) -> Way:
    """Return a way to answer every request alike."""

    def answer(_gate: Gate, client: socket.socket, _request: bytes) -> None:
        client.sendall(written(status, body, **headers))

    return answer


def written(status: str, body: bytes, **headers: str) -> bytes:
    """Return an answer as bytes."""
    fields = {"Date": formatdate(usegmt=True), "Content-Length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def with_clock(seconds: float, now: Callable[[], float]) -> Way:
    """Return a way to take callbacks by a clock that is so far ahead, and no others."""

    def take(gate: Gate, client: socket.socket, _request: bytes) -> None:
        there = now() + seconds
        is_dated = abs(int(gate.seen[-1].headers["webhook-timestamp"]) - there) < 300
        date: Any = {"Date": formatdate(there, usegmt=True)}
        taken = written("200 OK", b'{"received": true}', **date)
        client.sendall(taken if is_dated else written("401 Unauthorized", b"{}", **date))

    return take

"""A service manager's end of the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PATIENCE_SECONDS = 30


class NotifySocket:
    """Hears what a server says; `name` is the value of NOTIFY_SOCKET."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1))

    def until(self, message: str, times: int = 1) -> None:
        """Hear messages until this one has come so often."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.heard.count(message) < times:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                self.heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                raise AssertionError(f"{message} was not said; heard: {self.heard}") from None

    def all(self) -> list[str]:
        """Return everything that was said until now."""
        self._socket.setblocking(False)
        try:
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return self.heard

    def close(self) -> None:
        """End hearing."""
        self._socket.close()


@contextmanager
def at_path(folder: Path) -> Iterator[NotifySocket]:
    """Yield a socket that has a file."""
    hearing = NotifySocket(str(folder / "notify"))
    try:
        yield hearing
    finally:
        hearing.close()


@contextmanager
def abstract() -> Iterator[NotifySocket]:
    """Yield a socket of the abstract namespace, which systemd uses in some containers."""
    hearing = NotifySocket(f"@milepost-test-{uuid4().hex}")
    try:
        yield hearing
    finally:
        hearing.close()

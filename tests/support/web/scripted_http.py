"""A server that plays a script: one connection after the other gets the bytes of its turn."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
HANGS: Final = b"\0hangs"
"""At the end of a turn: the connection stays open until the script is over."""


class Script:
    """The server at `url`; `requests` are the heads of the requests that came, in their order."""

    def __init__(self, turns: Sequence[bytes]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[str] = []
        self._turns = turns
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def end(self) -> None:
        """Close what is open, and let nobody connect any more."""
        self._over.set()
        # Wakes a thread that waits for a connection; closing alone would not.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _play(self) -> None:
        for turn in self._turns:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reading:
                head = iter(reading.readline, b"\r\n")
                self.requests.append(b"".join(head).decode())
                connection.sendall(turn.removesuffix(HANGS))
                if turn.endswith(HANGS):
                    self._over.wait()


@contextmanager
def scripted(*turns: bytes) -> Iterator[Script]:
    """Play these turns, one for each connection."""
    script = Script(turns)
    try:
        yield script
    finally:
        script.end()

"""The interruption: a thread that waits for files stops waiting because another one says so."""

from __future__ import annotations

import socket
from contextlib import suppress


class Interruption:
    """Something to wait for beside other files; it comes once, and lasts."""

    def __init__(self) -> None:
        self._heard, self._said = socket.socketpair()
        # A signal handler may say it again while nobody reads.
        self._said.setblocking(False)

    def say(self) -> None:
        """Interrupt; any thread and any signal handler may do so. Afterwards it does nothing."""
        with suppress(OSError):
            self._said.send(b".")

    def fileno(self) -> int:
        """Return the file that is readable after the interruption."""
        return self._heard.fileno()

    def close(self) -> None:
        """Close the files."""
        self._said.close()
        self._heard.close()

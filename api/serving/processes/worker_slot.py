"""A worker's slot: its process, asked for signs of life, and replaced when it dies or hangs.

The slot keeps its listening socket while it has no process. So clients wait for the next worker,
and are not refused.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from api.serving.processes.ending import ENDING
from api.serving.processes.worker import PING

log = logging.getLogger("milepost")

SILENT_LOOKS: Final = 20
"""How many looks in a row may find no sign of life: 10 s."""
STARTING_LOOKS: Final = 120
"""The same for a worker that starts: 60 s."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""How long to wait before a worker is replaced, in seconds; longer after each failed start."""

Start = Callable[[socket.socket, Connection], BaseProcess]
"""Starts a worker over a listening socket and its end of the line to the supervisor."""


class WorkerSlot:
    """Starts a process at the first look, and another one when it has died.

    Silence is counted in looks and not in seconds: while the whole server is suspended, no worker
    can answer, and no look is taken either.
    """

    def __init__(self, listening: socket.socket, start: Start) -> None:
        self._listening = listening
        self._start = start
        self._process: BaseProcess | None = None
        self._line: Connection | None = None
        self._start_at = 0.0
        self._pause = SHORTEST_PAUSE
        self._silent_looks = 0
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.is_alive()

    @property
    def answers(self) -> bool:
        """Whether the process has become ready, and has not been silent for too long since."""
        return self._is_ready and self._silent_looks <= SILENT_LOOKS

    @property
    def pid(self) -> int | None:
        """The process, also when it has ended and no look was taken since."""
        return self._process.pid if self._process else None

    def heard_at(self) -> list[Connection | int]:
        """Return what becomes readable when the worker says something, or dies."""
        line = [self._line] if self._line else []
        return [*line, self._process.sentinel] if self.is_alive and self._process else [*line]

    def hear(self) -> None:
        """Take the signs of life that have come."""
        try:
            while self._line and self._line.poll():
                self._line.recv_bytes()
                self._silent_looks, self._is_ready = 0, True
                self._pause = SHORTEST_PAUSE
        except (EOFError, OSError):
            self._hang_up()

    def look(self, now: float) -> None:
        """Start a process if none lives; kill it if it is silent; ask for a sign of life."""
        if self._process and not self._process.is_alive():
            self._mourn(self._process, now)
        if self._process is None:
            if now >= self._start_at:
                self._begin()
            return
        self._silent_looks += 1
        if self._silent_looks > (SILENT_LOOKS if self._is_ready else STARTING_LOOKS):
            log.error("worker %s gives no sign of life: it is killed", self._process.pid)
            self.kill()
        self.tell(PING)

    def tell(self, word: bytes) -> None:
        """Say something to the worker; a dead one hears nothing."""
        if self._line:
            with suppress(OSError):
                self._line.send_bytes(word)

    def kill(self) -> None:
        """End the process at once."""
        if self._process:
            self._process.kill()

    def _begin(self) -> None:
        self._line, theirs = Pipe()
        # The process begins with these signals blocked; see the supervisor. Starting Python's
        # resource tracker, which the first process would do, unblocks them.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            self._process = self._start(self._listening, theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self._silent_looks = 0

    def _mourn(self, process: BaseProcess, now: float) -> None:
        log.error("worker %s has ended with status %s", process.pid, process.exitcode)
        self._hang_up()
        self._process = None
        self._start_at = now + self._pause
        if not self._is_ready:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._is_ready = False

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
            self._line = None

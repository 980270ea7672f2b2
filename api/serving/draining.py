"""Draining: a server that is asked to end answers what is under way, and says that it is leaving.

1. The first SIGTERM: `/readyz` answers 503 for some seconds, so that load balancers send nothing
   more, while every request is still answered.
2. Then, and at once for Ctrl-C: the port closes; workers finish what is under way, and end.
3. A second signal ends everything at once.

Terminals and service managers send a signal to every process of a server. A worker of the front
does not listen to it (see `worker.py`): it ends when its server says so, or is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from threading import Timer
from types import FrameType
from typing import Any, Final, NamedTuple

DRAIN_SECONDS: Final = 2.0


class Phases(NamedTuple):
    """What every process of a server knows of its end.

    `began` is 1 once the server drains, `ended` is 1 once its workers shall end. Each is a
    `multiprocessing.RawValue`, which has no lock that a killed worker could leave held.
    """

    began: Any
    ended: Any


class Draining:
    """The signals of a granian server."""

    def __init__(self, server: Any, seconds: float = DRAIN_SECONDS) -> None:
        spawned = multiprocessing.get_context("spawn")
        self.phases = Phases(spawned.RawValue("b", 0), spawned.RawValue("b", 0))
        self._server = server
        self._seconds = seconds
        self._signals = 0
        # Granian sets handlers of its own when it starts, and then calls this.
        server.on_startup(self._listen)
        # However a server ends, also by itself after workers that keep crashing.
        self._shutdown = server.shutdown
        server.shutdown = self._end

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def _end(self, exit_code: int = 0) -> None:
        self.phases.ended.value = 1
        self._shutdown(exit_code)

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            for worker in self._server.wrks:
                worker.kill()
            os._exit(128 + number)
        self.phases.began.value = 1
        if number == signal.SIGINT:
            self._server.signal_handler_interrupt()
            return
        close = Timer(self._seconds, self._server.signal_handler_interrupt)
        close.daemon = True
        close.start()

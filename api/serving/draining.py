"""Draining: a server that is asked to end answers what is under way, and says that it is leaving.

1. The first SIGTERM: `/readyz` answers 503 for some seconds, so that load balancers send nothing
   more, while every request is still answered.
2. Then, and at once for Ctrl-C: the port closes; workers finish what is under way, and end.
3. A second signal ends everything at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from threading import Timer
from types import FrameType
from typing import Any, Final

DRAIN_SECONDS: Final = 2.0


class Draining:
    """The signals of a granian server. `began` is set in every process once it drains."""

    def __init__(self, server: Any, seconds: float = DRAIN_SECONDS) -> None:
        self.began = multiprocessing.get_context("spawn").Event()
        self._server = server
        self._seconds = seconds
        self._signals = 0
        # Granian sets handlers of its own when it starts, and then calls this.
        server.on_startup(self._listen)

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            for worker in self._server.wrks:
                worker.kill()
            os._exit(128 + number)
        self.began.set()
        if number == signal.SIGINT:
            self._server.signal_handler_interrupt()
            return
        close = Timer(self._seconds, self._server.signal_handler_interrupt)
        close.daemon = True
        close.start()

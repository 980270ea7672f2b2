"""The supervisor: it keeps workers alive, and ends them in order.

1. The first SIGTERM or SIGHUP: `/readyz` answers 503 for `drain_seconds`, so that load balancers
   send nothing more, while every request is still answered.
2. Then, and at once for Ctrl-C: the port closes; workers finish what is under way, and end.
3. A second signal ends everything at once, but SIGHUP, which then changes nothing.

The service manager, if one started the server, hears when all workers are ready, and that they give
signs of life. Its own watchdog then sees a supervisor that hangs, and workers that never come back.

Terminals and service managers send a signal to every process of a server. Workers are started with
these signals blocked: they end when their supervisor says so, or when it is gone.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from time import monotonic
from types import FrameType
from typing import Final

from api.serving.processes.ending import listen_to_signals
from api.serving.processes.service_manager import ServiceManager
from api.serving.processes.worker import DRAIN, END, FINISH_SECONDS
from api.serving.processes.worker_slot import Start, WorkerSlot

LOOK_SECONDS: Final = 0.5
"""The time between two looks at the workers; each look asks for a sign of life."""
KILL_SECONDS: Final = FINISH_SECONDS + 2
"""How long a worker may live once it is asked to end."""
END_SECONDS: Final = KILL_SECONDS + 10
"""The longest time from closing the port to the end of all processes, the projector's too."""


class Supervisor:
    """Keeps a worker at each of the listening sockets, and tells the service manager about them."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        start: Start,
        drain_seconds: float,
        manager: ServiceManager,
    ) -> None:
        self._sockets = sockets
        self._drain_seconds = drain_seconds
        self._manager = manager
        self._slots = [WorkerSlot(listening, start) for listening in sockets]
        self._signals: list[int] = []
        self._woken, self._wake = socket.socketpair()
        self._close_at = self._kill_at = float("inf")
        self._is_closed = False

    def run(self) -> None:
        """Return once a signal has ended the workers."""
        self._listen_to_signals()
        next_look = monotonic()
        while not self._is_closed or any(slot.is_alive for slot in self._slots):
            heard = [each for slot in self._slots for each in slot.heard_at()]
            wait([self._woken, *heard], max(0.0, next_look - monotonic()))
            for slot in self._slots:
                slot.hear()
            self._follow_signals()
            if (now := monotonic()) >= next_look:
                next_look = now + LOOK_SECONDS
                self._look(now)
                self._bury_orphans()
            self._report(now)

    def _report(self, now: float) -> None:
        """Tell the service manager how the server is, once its state has changed."""
        if self._signals:
            self._manager.is_stopping(self._drain_seconds + END_SECONDS)
            self._manager.says("Ending: finishing the requests under way")
            return
        answering = sum(slot.answers for slot in self._slots)
        if answering == len(self._slots):
            self._manager.is_ready()
            self._manager.is_alive(now)
        self._manager.says(f"{answering} of {len(self._slots)} workers answer")

    def _bury_orphans(self) -> None:
        """Take the exit status of ended processes that are no workers.

        As the first process of a container, the server inherits every process whose parent is gone.
        One that has ended keeps its number until its parent asks for its status.
        """
        if not hasattr(os, "waitid"):  # macOS, where no server is the first process
            return
        workers = {slot.pid for slot in self._slots}
        with suppress(ChildProcessError):  # there is no process at all
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in workers:  # the slot asks itself; the next look sees the others
                    return
                os.waitpid(ended.si_pid, 0)

    def _look(self, now: float) -> None:
        for slot in self._slots:
            if not self._is_closed:
                slot.look(now)
            elif now > self._kill_at:
                slot.kill()

    def _listen_to_signals(self) -> None:
        for end in (self._woken, self._wake):
            end.setblocking(False)
        # A handler alone does not end the wait: Python goes on waiting when it has run.
        signal.set_wakeup_fd(self._wake.fileno())
        listen_to_signals(self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and self._signals:
            return  # of a terminal that is closed, the kernel and the shell each send one
        self._signals.append(number)
        if len(self._signals) > 1:
            for slot in self._slots:
                slot.kill()
            os._exit(128 + number)

    def _follow_signals(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(64)
        if self._signals and self._close_at == float("inf"):
            wait_before = 0.0 if self._signals[0] == signal.SIGINT else self._drain_seconds
            self._close_at = monotonic() + wait_before
            for slot in self._slots:
                slot.tell(DRAIN)
        if not self._is_closed and monotonic() >= self._close_at:
            self._is_closed = True
            self._kill_at = monotonic() + KILL_SECONDS
            for listening in self._sockets:
                listening.close()
            for slot in self._slots:
                slot.tell(END)

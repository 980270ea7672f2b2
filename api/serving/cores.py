"""The threads of a worker on one core, where it can be had.

They share an interpreter and take turns in any case. Spread over the cores, each turn that is
handed on wakes another core first, which costs as much as many a callback; on one core it is a
change of threads. What is not Python, as the server that reads the requests, goes where it likes.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("milepost")


def usable() -> list[int]:
    """Return the cores that this process may use, if threads can be kept on one and that pays."""
    if sys.platform != "linux" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores if len(cores) > 1 else []


def taken(folder: Path, first: int, cores: Sequence[int]) -> int | None:
    """Take a core that no other worker with this folder has, as long as there is one.

    `first` is the place of the first worker's among these cores. None: there is nothing to choose
    from. It is given back when the process ends, however it ends.
    """
    for place in range(len(cores)):
        lock = os.open(folder / f"core-{place}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        except OSError as error:
            # Some file systems have no locks.
            os.close(lock)
            log.warning("threads are not kept on one core: %s cannot be locked: %s", folder, error)
            return None
        else:
            return cores[(first + place) % len(cores)]
    # More workers than cores: the system shares them out better than we could.
    return None


class OnOneCore:
    """An application that keeps every thread that calls it on one core."""

    def __init__(self, application: WSGIApplication, core: int) -> None:
        self._application = application
        self._core = core
        self._thread = threading.local()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; see PEP 3333."""
        if not hasattr(self._thread, "is_placed"):
            self._thread.is_placed = True
            self._place()
        return self._application(environ, start_response)

    def _place(self) -> None:
        try:
            os.sched_setaffinity(0, {self._core})  # of the calling thread
        except OSError as error:
            # Some containers forbid it, and a core can be taken away meanwhile: then it is slower.
            log.warning("a thread cannot be kept on core %d: %s", self._core, error)

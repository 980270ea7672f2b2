"""The signals that end a process of Milepost in order."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def listen_to_signals(note: Callable[[int, FrameType | None], object]) -> None:
    """Call `note` for each signal that ends; for SIGHUP only if it is not ignored.

    The program that started this process may have had them blocked, which this process inherits.
    """
    for number in ENDING:
        # `nohup` ignores SIGHUP, for a process that outlives its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})


def hear_of_children() -> None:
    """Let the system say how children end.

    It says nothing to a process that ignores SIGCHLD, and a program that ignores it, such as some
    daemons, starts others that ignore it too: a worker that has died would look alive for ever.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

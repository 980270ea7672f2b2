"""The signals that end a process of Milepost in order."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def listen_to_signals(note: Callable[[int, FrameType | None], object]) -> None:
    """Call `note` for each signal that ends; for SIGHUP only if it is not ignored."""
    for number in ENDING:
        # `nohup` ignores SIGHUP, for a process that outlives its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)

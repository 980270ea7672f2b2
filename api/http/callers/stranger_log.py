"""Log lines that others cause, with a secret or without one: a few a minute, then their number.

A line each would let a stranger, or a workflow that is out of order, fill the disk and hide all
other lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from api.http.counting.counters import LEFT_OUT

PER_MINUTE: Final = 10
"""How many lines with one reason are logged a minute."""
MINUTE_SECONDS: Final = 60.0


class StrangerLog:
    """Logs at most `PER_MINUTE` lines a minute with each reason, and counts the others.

    The first line after that minute is preceded by one that says how many were left out.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._minutes: dict[str, _Minute] = {}

    def warning(self, reason: str, message: str, *arguments: object, **fields: object) -> None:
        """Log a warning, or count it as left out.

        `reason` is a word of a fixed list; `fields` are further fields of the line.
        """
        self._line(logging.WARNING, reason, message, arguments, fields)

    def error(self, reason: str, message: str, *arguments: object, **fields: object) -> None:
        """Log an error, or count it as left out; see `warning`."""
        self._line(logging.ERROR, reason, message, arguments, fields)

    def _line(
        self,
        level: int,
        reason: str,
        message: str,
        arguments: tuple[object, ...],
        fields: dict[str, object],
    ) -> None:
        now = self._clock()
        with self._lock:
            minute = self._minutes.get(reason)
            left_out = 0
            if minute is None or now >= minute.ends_at:
                left_out = minute.left_out if minute else 0
                minute = self._minutes[reason] = _Minute(now + MINUTE_SECONDS)
            minute.lines += 1
            is_logged = minute.lines <= PER_MINUTE
            minute.left_out += not is_logged
        if left_out:
            self._log.warning("%d lines like the next one were left out (%s)", left_out, reason)
        if is_logged:
            self._log.log(level, message, *arguments, extra={"reason": reason, **fields})
        else:
            LEFT_OUT[reason].inc()

    def forget(self) -> None:
        """Begin anew, as a new process does."""
        with self._lock:
            self._minutes.clear()


class _Minute:
    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.lines = self.left_out = 0

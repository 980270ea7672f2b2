"""Log lines that others cause, with a secret or without one: a few a minute, then their number.

A line each would let a stranger, or a workflow that is out of order, fill the disk and hide all
other lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic

from api.http.counting.counters import LEFT_OUT
from domain.few_lines import LEFT_OUT_BEFORE, FewLines


class StrangerLog:
    """Logs at most `PER_MINUTE` lines a minute with each reason, and counts the others.

    The first line after that minute is preceded by one that says how many were left out.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._lines: dict[str, FewLines] = {}

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
        with self._lock:
            lines = self._lines.setdefault(reason, FewLines(self._clock))
        is_logged, left_out = lines.next()
        if left_out:
            self._log.warning(LEFT_OUT_BEFORE, left_out, reason)
        if is_logged:
            self._log.log(level, message, *arguments, extra={"reason": reason, **fields})
        else:
            LEFT_OUT[reason].inc()

    def forget(self) -> None:
        """Begin anew, as a new process does."""
        with self._lock:
            self._lines.clear()

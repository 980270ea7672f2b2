"""Few lines: the log has at most `PER_MINUTE` a minute of a kind that others can cause.

After such a minute, one line says how many were left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

PER_MINUTE: Final = 10
"""How many lines of one kind are logged a minute."""
MINUTE_SECONDS: Final = 60.0


class FewLines:
    """Counts lines of one kind; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._ends_at = 0.0
        self._lines = 0

    def next(self) -> tuple[bool, int]:
        """Return whether one more line is logged, and how many were left out before this minute."""
        now, left_out = self._clock(), 0
        with self._lock:
            if not self._lines or now >= self._ends_at:
                left_out = max(0, self._lines - PER_MINUTE)
                self._lines, self._ends_at = 0, now + MINUTE_SECONDS
            self._lines += 1
            return self._lines <= PER_MINUTE, left_out


class FewWarnings:
    """Warnings of one kind, of which the log has few; `kind` is a word for the number of others."""

    def __init__(
        self, log: logging.Logger, kind: str, clock: Callable[[], float] = monotonic
    ) -> None:
        self._log = log
        self._kind = kind
        self._lines = FewLines(clock)

    def warning(self, message: str, *arguments: object) -> None:
        """Log a warning, or count it as left out."""
        is_logged, left_out = self._lines.next()
        if left_out:
            self._log.warning(LEFT_OUT_BEFORE, left_out, self._kind)
        if is_logged:
            self._log.warning(message, *arguments)


LEFT_OUT_BEFORE: Final = "%d lines like the next one were left out (%s)"
"""What precedes the first line after a minute in which some were left out."""

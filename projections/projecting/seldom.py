"""Lines that repeat while something is wrong, which the log has once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

AGAIN_SECONDS: Final = 60.0
"""How long a line that says the same again is left out."""


class Seldom:
    """Logs what stops its caller, unless the same was logged within `AGAIN_SECONDS`."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._said: dict[str, float] = {}

    def warning(self, message: str, error: Exception) -> None:
        """Log a message with a place for the error."""
        if self._is_due(f"{message}{error}"):
            self._log.warning(message, error)

    def exception(self, message: str, error: Exception) -> None:
        """Log a message, and the error with its traceback."""
        if self._is_due(f"{message}{error!r}"):
            self._log.error(message, exc_info=error)

    def forget(self) -> None:
        """Let the next line be logged: its caller goes on now."""
        self._said.clear()

    def _is_due(self, text: str) -> bool:
        now = self._clock()
        # Only what was said of late: texts may differ each time.
        self._said = {said: until for said, until in self._said.items() if now < until}
        if text in self._said:
            return False
        self._said[text] = now + AGAIN_SECONDS
        return True

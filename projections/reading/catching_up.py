"""Waiting until the read model has caught up with a position of the log."""

from __future__ import annotations

from threading import Event
from time import monotonic
from typing import Final

from domain.log.store import translated
from projections.read_model.contract import ReadModel
from projections.reading.waiting_places import WaitingPlaces

POLL_SECONDS: Final = 0.01
MAX_WAITERS: Final = 8
"""How many callers wait at a time for the read model: each holds a thread."""


class CatchingUp:
    """Where callers wait for a read model. It may raise `StoreUnavailable`."""

    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model
        self._waiting = WaitingPlaces(MAX_WAITERS)

    def wait_for(self, position: int, seconds: float, caller: str = "") -> bool:
        """Wait until the read model has reached the position; False after that many seconds.

        Returns False at once for a position after the newest event, and if there is no place for
        this caller to wait at: each waiting request holds a thread that could answer others.
        """
        with translated():
            if position > self._read_model.log.newest_position():
                return False
        if self._is_at(position):
            return True
        with self._waiting.place(caller) as has_place:
            return has_place and self._wait_for(position, seconds)

    def _wait_for(self, position: int, seconds: float) -> bool:
        deadline = monotonic() + seconds
        while not self._is_at(position):
            if monotonic() >= deadline:
                return False
            Event().wait(POLL_SECONDS)
        return True

    def _is_at(self, position: int) -> bool:
        with translated():
            return self._read_model.position() >= position

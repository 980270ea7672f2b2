"""The cleaner: delete the rows that a rebuild has replaced."""

from __future__ import annotations

from projections.chore import IDLE_SECONDS
from projections.rebuilding.contract import Shadow


class Cleaner:
    """A chore: delete one slice of the replaced rows a second, so that no writer waits for it."""

    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow

    def begin(self) -> None:
        """Do nothing: the names of the tables tell which ones were replaced."""

    def step(self) -> float:
        """Delete one slice, if any is left; return the seconds until the next step is due."""
        self._shadow.clear()
        return IDLE_SECONDS

"""Chores for tests: each calls a function."""

from __future__ import annotations

from collections.abc import Callable

from projections.chore import IDLE_SECONDS


class EverySecond:
    """A chore that calls a function every second."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def begin(self) -> None:
        """Do nothing."""

    def step(self) -> float:
        """Call the function."""
        self._call()
        return IDLE_SECONDS

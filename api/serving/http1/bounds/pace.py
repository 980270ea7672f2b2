"""The pace at which a client takes its answers: one that is too slow loses its connection."""

from __future__ import annotations

from typing import Final

LEAST_TAKEN: Final = 16 * 1024
"""How many of the bytes that wait a client takes before its deadline, or all of them."""
NEVER: Final = float("inf")


class Pace:
    """How far a client has taken what was written to it.

    `written` counts the bytes of all answers. `due` is the tick by which the client must have taken
    `LEAST_TAKEN` more bytes: `NEVER` while none wait for it.
    """

    __slots__ = ("_taken", "due", "written")

    def __init__(self) -> None:
        self.written = self._taken = 0
        self.due = NEVER

    def is_too_slow(self, unsent: int, tick: float, next_due: float) -> bool:
        """Tell at each look whether the deadline has passed; `unsent` bytes wait for the client.

        A client that took enough has until `next_due` for as much again.
        """
        if not unsent:
            self.due = NEVER
            return False
        taken = self.written - unsent
        if self.due == NEVER or taken >= self._taken + LEAST_TAKEN:
            self._taken, self.due = taken, next_due
            return False
        return self.due <= tick

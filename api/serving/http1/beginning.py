"""Beginning: the answers that begin in one turn of the event loop are few, so the turn ends soon.

What a view does before it first waits, such as to verify and to read a callback, happens at once.
Requests of many connections may become whole in one turn. If all of them were answered in the next
one, that could last for longer than the supervisor waits for a sign of life.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from typing import Final, Protocol

AT_ONCE: Final = 64
"""How many answers begin in a turn: with 2 ms each, it lasts for 0.13 s."""


class Begins(Protocol):
    """A connection."""

    def begin(self) -> None:
        """Begin the answer to the present request."""
        ...


class Beginning:
    """Begins answers of one loop in the order in which they are asked for."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._begun = 0
        self._waiting: deque[Begins] = deque()

    def begin(self, connection: Begins) -> None:
        """Begin a connection's answer now, or in a later turn if there were many in this one."""
        if self._begun == AT_ONCE:
            self._waiting.append(connection)
            return
        if not self._begun:
            self._loop.call_soon(self._turn)
        self._begun += 1
        connection.begin()

    def _turn(self) -> None:
        self._begun = 0
        for _ in range(min(AT_ONCE, len(self._waiting))):
            self.begin(self._waiting.popleft())

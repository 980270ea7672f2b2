"""The contract of what a database says of its surroundings."""

from __future__ import annotations

from typing import Protocol


class Surroundings(Protocol):
    """What is around Milepost in its database. Raises the library's `PersistenceError`."""

    def connections_allowed(self) -> int | None:
        """Return how many connections this account may have at once; None without a bound."""
        ...

    def held_back(self) -> str | None:
        """Return who keeps deleted rows from being cleaned up, for how long; None if nobody does.

        The answer is a sentence without its full stop.
        """
        ...

    def open_to_all(self) -> str | None:
        """Return that everybody may create tables beside Milepost's; None if that is not so.

        The answer is a sentence without its full stop, and says what to do.
        """
        ...


class NoSurroundings:
    """A database without a server, and without other users: a file, or memory."""

    def connections_allowed(self) -> None:
        """Return None: a file has no bound."""
        return

    def held_back(self) -> None:
        """Return None: nobody else is there."""
        return

    def open_to_all(self) -> None:
        """Return None: nobody else is there."""
        return

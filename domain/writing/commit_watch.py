"""Whether commits succeed, so that a server can say so before more callbacks are sent to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from domain.log.refusals import Refusal, refusal_of

HANGING_SECONDS: Final = 5.0
"""A commit that takes longer than this hangs: the slowest healthy disks need some 100 ms."""
REFUSED_SECONDS: Final = 30.0
"""How long a refused commit counts if no other is tried. Then callbacks may come again: without
them, nothing would show that commits succeed again."""

Reason: TypeAlias = Refusal | Literal["hanging"]


class Trouble(NamedTuple):
    """Why commits do not succeed, and for how many seconds."""

    reason: Reason
    seconds: float


class CommitWatch:
    """Knows the commit under way and how the last one ended. `passed` is a monotonic clock."""

    def __init__(self, passed: Callable[[], float]) -> None:
        self._passed = passed
        self._began_at: float | None = None
        self._refused: tuple[Refusal, float] | None = None

    def begin(self) -> None:
        """Note that a commit begins; there is one at a time."""
        self._began_at = self._passed()

    def succeed(self) -> None:
        """Note that the commit is durable."""
        self._refused = None

    def fail(self, error: BaseException) -> None:
        """Note that the commit failed; it counts if the database is at fault."""
        if refusal := refusal_of(error):
            self._refused = refusal, self._passed()

    def end(self) -> None:
        """Note that the commit ended, however it did."""
        self._began_at = None

    def trouble(self) -> Trouble | None:
        """Return what is wrong now, None if nothing is known to be. Any thread may ask."""
        began_at, refused = self._began_at, self._refused
        if began_at is not None and (age := self._passed() - began_at) > HANGING_SECONDS:
            return Trouble("hanging", age)
        if refused is not None and (age := self._passed() - refused[1]) <= REFUSED_SECONDS:
            return Trouble(refused[0], age)
        return None

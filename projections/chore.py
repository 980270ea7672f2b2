"""A chore: work that the active projector does beside projecting, in bounded slices."""

from __future__ import annotations

from typing import Final, Protocol

AT_ONCE: Final = 0.0
"""What a step returns when there is more to do."""
IDLE_SECONDS: Final = 1.0
"""What a step returns when there is nothing to do: look again after this many seconds."""


class Chore(Protocol):
    """A chore of the active projector. It may raise anything: its failure stops nothing else."""

    def begin(self) -> None:
        """Prepare for the first step after this projector became active, or after a failed step."""
        ...

    def step(self) -> float:
        """Do one bounded slice of work; return in how many seconds the next slice is due."""
        ...

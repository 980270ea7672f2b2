"""A monotonic clock that a test moves."""

from __future__ import annotations


class Seconds:
    """A monotonic clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

"""What a process remembers of the log is bounded, and reaches far back."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from domain.log.lost_end.marks import DENSE_MARKS, MOST_MARKS, Mark, Memory
from tests.support.stores.deployment import NOON


def after(looks: int) -> Memory:
    """Return the memory after that many looks, one a second, each at the next position."""
    memory = Memory()
    for position in range(1, looks + 1):
        at = NOON + timedelta(seconds=position)
        memory = memory.with_mark(Mark(position, "job", position, b"", at))
    return memory


def test_a_memory_is_bounded_and_has_the_newest_and_the_oldest_mark() -> None:
    for looks in (1, MOST_MARKS, MOST_MARKS + 1, 10_000):
        memory = after(looks)

        assert len(memory.marks) <= MOST_MARKS
        assert memory.marks[0].position == 1
        assert memory.position == looks


def test_marks_are_the_farther_apart_the_older_they_are() -> None:
    newest_first = [mark.position for mark in reversed(after(10_000).marks)]
    gaps = [newer - older for newer, older in pairwise(newest_first)]

    assert gaps[: DENSE_MARKS - 1] == [1] * (DENSE_MARKS - 1)
    older = gaps[DENSE_MARKS:]
    assert all(later >= earlier for earlier, later in pairwise(older))
    assert older[-1] > 1_000

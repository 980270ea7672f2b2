"""Places to wait at: nobody takes all of them."""

from __future__ import annotations

from contextlib import ExitStack

from projections.reading.waiting_places import WaitingPlaces


def test_a_caller_has_as_many_places_as_it_leaves_free_and_gives_them_back() -> None:
    places = WaitingPlaces(8)

    def held(caller: str) -> int:
        """Take places until there is none for this caller; return how many it got."""
        count = 0
        while waiting.enter_context(places.place(caller)):
            count += 1
        return count

    for _ in range(2):
        with ExitStack() as waiting:
            assert [held(caller) for caller in ("one", "two", "three")] == [4, 2, 1]

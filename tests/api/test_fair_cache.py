"""The fair cache: who has the most in it makes way, and nobody else."""

from __future__ import annotations

from api.fair_cache import FairCache


def test_an_owner_with_many_entries_pushes_out_its_own() -> None:
    cache = FairCache[int](10)
    for owner in ("one", "two"):
        cache.put(f"of {owner}", 1, owner)

    for number in range(1000):
        cache.put(f"of many {number}", number, "many")

    assert [cache.get(f"of {owner}") for owner in ("one", "two")] == [1, 1]
    there = [number for number in range(1000) if cache.get(f"of many {number}") is not None]
    assert there == list(range(992, 1000)), "the newest ones stay"


def test_among_owners_with_one_entry_each_the_oldest_makes_way() -> None:
    cache = FairCache[int](3)
    for number in (0, 1, 2, 0, 3):
        cache.put(f"{number}", number, f"owner {number}")

    assert [cache.get(f"{number}") for number in range(4)] == [0, None, 2, 3]


def test_what_is_dropped_leaves_its_place_and_counts_no_more() -> None:
    cache = FairCache[int](2)
    cache.put("a", 1, "one")
    cache.put("a", 2, "one")
    cache.put("b", 3, "one")
    cache.drop("a")
    cache.drop("a")
    cache.put("c", 4, "two")

    assert [cache.get(key) for key in "abc"] == [None, 3, 4]

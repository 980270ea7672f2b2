"""Recent bodies: a bounded number of short ones."""

from __future__ import annotations

from api.recent_bodies import LARGEST_BYTES, MOST, RecentBodies


def test_the_newest_bodies_are_there() -> None:
    bodies = RecentBodies()
    for number in range(MOST + 2):
        bodies.put(number, b"%d" % number)

    there = [number for number in range(MOST + 2) if bodies.get(number) == b"%d" % number]
    assert there == list(range(2, MOST + 2))


def test_a_body_that_is_put_twice_has_one_place() -> None:
    bodies = RecentBodies()
    for _ in range(2):
        for number in range(MOST):
            bodies.put(number, b"%d" % number)

    assert all(bodies.get(number) is not None for number in range(MOST))


def test_a_long_body_is_not_kept() -> None:
    bodies = RecentBodies()

    bodies.put("longest", b"x" * LARGEST_BYTES)
    bodies.put("longer", b"x" * (LARGEST_BYTES + 1))

    assert bodies.get("longest") is not None
    assert bodies.get("longer") is None

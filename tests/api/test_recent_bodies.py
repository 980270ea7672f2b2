"""Recent bodies: a bounded number of short ones, each of the state that it was made of."""

from __future__ import annotations

from api.recent_bodies import LARGEST_BYTES, MOST, WIDEST_BYTES, Made, RecentBodies
from domain.job.attempt.state import Attempt
from domain.job.runs.state import Runs
from domain.job.runs.weight import ATTEMPT_BYTES
from projections.views.instance import Instance
from tests.support.stores.deployment import NOON

MADE = Made(Instance("job", 1), "tag", None)


def test_the_paths_that_were_answered_last_are_there() -> None:
    bodies = RecentBodies()
    for number in (*range(MOST), 0, MOST, MOST + 1):
        bodies.put(f"{number}", MADE, b"%d" % number)

    there = [number for number in range(MOST + 2) if bodies.get(f"{number}", MADE)]
    assert there == [0, *range(3, MOST + 2)]


def test_a_body_is_of_one_state_one_tag_and_one_first_start() -> None:
    bodies = RecentBodies()

    bodies.put("path", MADE, b"body")

    assert bodies.get("path", Made(Instance("job", 1), "tag", None)) == b"body"
    assert bodies.get("path", MADE._replace(instance=Instance("job", 1, region="eu"))) is None
    assert bodies.get("path", MADE._replace(tag="another")) is None
    assert bodies.get("path", MADE._replace(first_start=NOON)) is None


def test_neither_a_long_body_nor_a_wide_state_is_kept() -> None:
    bodies = RecentBodies()
    attempts = WIDEST_BYTES // ATTEMPT_BYTES + 1
    wide = Made(Instance("job", 1, runs=Runs((Attempt(),) * attempts)), "tag", None)

    bodies.put("longest", MADE, b"x" * LARGEST_BYTES)
    bodies.put("longer", MADE, b"x" * (LARGEST_BYTES + 1))
    bodies.put("wide", wide, b"body")

    assert bodies.get("longest", MADE) is not None
    assert bodies.get("longer", MADE) is None
    assert bodies.get("wide", wide) is None

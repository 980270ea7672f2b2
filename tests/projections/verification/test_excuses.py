"""Verifying reports a set-aside event that can be folded."""

from __future__ import annotations

from threading import Event

import pytest

from projections.projecting.projector import Projector
from tests.support.projectors.chores import EverySecond
from tests.support.projectors.verifying import (
    folded_by_older_release,
    place,
    verify,
    verify_job,
    without,
)
from tests.support.stores.deployment import Deployment
from tests.support.stores.tampering import Database

STEP = place(148)
"""Version 50 of job a, which reports a step."""
SET_ASIDE = "INSERT INTO milepost_set_aside (position, job_id, version, topic, error, view) VALUES "


def restarted(made: Deployment) -> None:
    """Run a projector of this release until its first chore is due."""
    stop = Event()
    Projector(
        made.milepost.store,
        made.read_model,
        made.milepost.mapper,
        made.workflows,
        chores=[EverySecond(stop.set)],
    ).run(stop)


def test_a_forged_excuse_is_found_with_what_it_excuses(history: Deployment) -> None:
    """A row lacks a step, and a forged record says that the step's event cannot be read."""
    folded_by_older_release(history)
    database = Database(history)
    database.run("DELETE FROM milepost_set_aside")
    assert {f.kind for f in verify(history).findings} == {"row"}
    for job, number in (("a", 148), ("b", 149), ("c", 150)):
        for version, later in ((50, 0), (150, 300)):
            where = place(number + later)
            assert (where.job_id, where.version) == (job, version)
            database.run(
                f"{SET_ASIDE} (?, ?, ?, 'StepReported', 'unreadable', 'instances')", where[1:]
            )

    verified = verify(history)

    assert verified.places == {
        ("aside", *place(number + later)[1:]) for number in (148, 149, 150) for later in (0, 300)
    }
    found = verified.one("aside", STEP.position)
    assert found.expected == "an event that instances cannot fold, since it was set aside"
    assert "milepost rebuild" in found.found
    assert {f.position for f in verify_job(history, "a").findings} == {
        STEP.position,
        place(448).position,
    }


def test_an_event_that_an_older_release_set_aside_is_reported_until_it_is_folded(
    history: Deployment,
) -> None:
    """The older release's rows are right without the event, so they are not reported too."""
    folded_by_older_release(history)

    assert {f.kind for f in verify(history).findings} == {"aside"}

    Database(history).run("UPDATE milepost_instances SET version = 199 WHERE job_id = 'b'")
    assert {(f.kind, f.job_id) for f in verify(history).findings} >= {("row", "b")}
    Database(history).run("UPDATE milepost_instances SET version = 200 WHERE job_id = 'b'")
    restarted(history)

    assert verify(history).findings == []


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ("(?, 'a', 999, 'X', 'e', 'instances')", ("aside", STEP.position, "a", 999)),
        ("(?, 'b', 50, 'StepReported', 'e', 'timelines')", ("aside", STEP.position, "b", 50)),
        ("(? + 9000, 'a', 50, 'StepReported', 'e', 'instances')", ("aside", 9148, "a", 50)),
    ],
)
def test_a_set_aside_event_that_does_not_exist_is_found(
    history: Deployment, values: str, where: tuple[object, ...]
) -> None:
    database = Database(history)
    assert database.run(f"{SET_ASIDE} {values}", [STEP.position]) == 1

    verified = verify(history)

    assert verified.places == {where}
    assert verified.findings[0].found == "no such event"
    assert verify_job(history, str(where[2])).findings == verified.findings
    assert verify_job(history, "c").findings == []


def test_a_record_that_matches_no_event_excuses_nothing(history: Deployment) -> None:
    """The record names the position of an event, but another job."""
    database = Database(history)
    database.run(
        "UPDATE milepost_events SET state = ? WHERE notification_id = ?", [b"{", STEP.position]
    )
    values = "(?, 'b', 50, 'StepReported', 'e', 'instances')"
    database.run(f"{SET_ASIDE} {values}", [STEP.position])

    verified = verify(history)

    assert ("unreadable", *STEP[1:]) in verified.places
    assert ("aside", STEP.position, "b", 50) in verified.places


def test_an_event_that_cannot_be_read_may_be_set_aside(history: Deployment) -> None:
    folded_by_older_release(history)
    history.milepost.mapper.shapes = without("StepReported")

    verified = verify(history)

    assert verified.findings == []
    assert verified.summary.set_aside == 6

"""The rows of a job have a bound in bytes, whatever its sender reports."""

from __future__ import annotations

from functools import cache

import pytest

from projections.views.instance import Instance
from projections.views.timeline import MAX_ALL_GAPS, Timeline
from projections.views.view import Views
from tests.support.jobs import greedy

VIEWS = Views()
MOST = 2**20


@cache
def views(runs: int, steps: int) -> tuple[Instance, Timeline]:
    job, events = greedy.lived(greedy.words(runs, steps))
    instance, timeline = VIEWS.instance.load(job.id, None), VIEWS.timeline.load(job.id, None)
    for event in events:
        instance = VIEWS.instance.evolve(instance, event)
        timeline = VIEWS.timeline.evolve(timeline, event)
    return instance, timeline


@pytest.mark.parametrize(("runs", "steps"), [(40, 21), (6, 200)])
def test_a_greedy_sender_cannot_make_a_row_exceed_a_mebibyte(runs: int, steps: int) -> None:
    instance, timeline = views(runs, steps)

    assert len(VIEWS.instance.dump(instance).encode()) < MOST
    assert len(VIEWS.timeline.dump(timeline).encode()) < MOST


def test_a_timeline_says_how_many_attempts_it_lacks() -> None:
    _, timeline = views(40, 21)

    assert timeline.attempts_left_out > 0
    assert timeline.attempts_left_out + len(timeline.story) == timeline.runs.opened
    assert set(timeline.chapters) <= {attempt.number for attempt, _ in timeline.story}


def test_a_timeline_holds_the_newest_of_many_silences() -> None:
    _, timeline = views(12, 110)

    silences = [len(timeline.chapters[number].gaps) for number in sorted(timeline.chapters)]
    assert sum(silences) <= MAX_ALL_GAPS
    assert silences[0] == 0
    assert max(silences[-2:]) == 100

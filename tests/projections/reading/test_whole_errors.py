"""Where one job is shown, its errors are whole, although its state keeps head and tail only."""

from __future__ import annotations

from domain.job.callback import Callback
from domain.job.long_text import MAX_KEPT, is_shortened
from projections.reading.whole_errors import AT_ONCE
from tests.support.stores.deployment import Deployment

FIRST = "first " + "x" * 60_000
SECOND = "second " + "y" * 3_000


def report(made: Deployment, **said: object) -> None:
    made.milepost.record(Callback(job_id="job", **said))  # type: ignore[arg-type]


def test_every_attempt_has_its_whole_error(stores: Deployment) -> None:
    report(stores, status="failed", error=FIRST, workflow_run_id="1")
    report(stores, status="provisioning", workflow_run_id="2")
    report(stores, status="failed", error=SECOND, workflow_run_id="2")
    kept, timeline = stores.reader.instance("job"), stores.reader.timeline("job")
    assert kept is not None
    assert timeline is not None
    assert all(is_shortened(each.final.error or "") for each in kept.runs.attempts if each.final)

    instance = stores.history.with_whole_errors(kept)
    timeline = stores.history.with_whole_errors(timeline)

    for state in (instance, timeline):
        assert [each.final and each.final.error for each in state.runs.attempts] == [FIRST, SECOND]


def test_an_error_before_many_heartbeats_is_found(memory: Deployment) -> None:
    report(memory, status="failed", error=FIRST)
    for _ in range(AT_ONCE + 10):
        report(memory, type="heartbeat")
    kept = memory.reader.instance("job")
    assert kept is not None

    final = memory.history.with_whole_errors(kept).attempt.final

    assert final is not None
    assert final.error == FIRST


def test_an_error_that_looks_shortened_stays_as_it_was_sent(memory: Deployment) -> None:
    looks_so = "[… are left out here; the job's events have them …]".ljust(MAX_KEPT)
    report(memory, status="failed", error=looks_so)
    kept = memory.reader.instance("job")
    assert kept is not None

    assert memory.history.with_whole_errors(kept) == kept

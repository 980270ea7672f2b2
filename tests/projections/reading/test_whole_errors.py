"""Where one job is shown, its errors are whole, although its state keeps head and tail only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.long_text import MAX_KEPT, is_shortened
from domain.log.bounded import READ_BYTES, within_bytes
from domain.log.reading.contract import PAGE, Log
from domain.log.stored import Stored
from projections.reading.whole_errors import MOST_BYTES, MOST_EVENTS, MOST_WHOLE, WholeErrors
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
    for _ in range(PAGE + 10):
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


class LongLog:
    """A log of a job whose events all have this state; it counts what is read of them."""

    def __init__(self, state: bytes) -> None:
        self._state = state
        self.events = self.bytes = 0

    def history(self, job_id: str, after: int, until: int, limit: int) -> Sequence[Stored]:
        versions = range(after + 1, min(until, after + limit) + 1)
        read = within_bytes(
            Stored(each, job_id, each, "HeartbeatReceived:1", self._state) for each in versions
        )
        self.events += len(read)
        self.bytes += sum(len(each.state) for each in read)
        return read


@pytest.mark.parametrize("length", [2, MAX_KEPT + 1, 2**20])
def test_one_look_reads_a_bounded_part_of_a_history(memory: Deployment, length: int) -> None:
    report(memory, status="failed", error=FIRST)
    kept = memory.reader.instance("job")
    assert kept is not None
    long = msgspec.structs.replace(kept, version=1_000_000)
    log = LongLog(b"x" * length)

    looked = WholeErrors(cast(Log, log), memory.milepost.mapper).of(long)

    assert looked == long
    assert log.events <= MOST_EVENTS + PAGE
    assert log.bytes <= MOST_BYTES + READ_BYTES + length


def test_many_long_errors_are_whole_for_the_newest_attempts(memory: Deployment) -> None:
    errors = [f"{run} {FIRST}" for run in range(30)]
    for run, error in enumerate(errors):
        report(memory, status="provisioning", workflow_run_id=str(run))
        report(memory, status="failed", error=error, workflow_run_id=str(run))
    kept = memory.reader.instance("job")
    assert kept is not None

    looked = memory.history.with_whole_errors(kept)

    shown = [each.final.error or "" for each in looked.runs.attempts if each.final]
    whole = [error for error in shown if not is_shortened(error)]
    assert whole == errors[-len(whole) :]
    assert MOST_WHOLE < sum(map(len, whole)) <= MOST_WHOLE + len(errors[-1])

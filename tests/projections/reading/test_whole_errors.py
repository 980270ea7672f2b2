"""Where one job is shown, its errors are whole, although its state keeps head and tail only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.long_text import MAX_IN_STATE, is_shortened
from domain.log.bounded import READ_BYTES, within_bytes
from domain.log.reading.contract import PAGE, Log
from domain.log.stored import Stored
from projections.reading.whole_errors import MOST_BYTES, MOST_EVENTS, MOST_WHOLE, WholeErrors
from tests.support.stores.deployment import Deployment

FIRST = "first " + "x" * 60_000
SECOND = "second " + "y" * 3_000
SHORT = range(191, 201)


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
    looks_so = "[… are left out here; the job's events have them …]".ljust(MAX_IN_STATE)
    report(memory, status="failed", error=looks_so)
    kept = memory.reader.instance("job")
    assert kept is not None

    assert memory.history.with_whole_errors(kept) == kept


class LongLog:
    """A log of a job whose events have this state, except `special`; it counts what is read."""

    def __init__(self, state: bytes, special: Mapping[int, Stored] = {}) -> None:
        self._state = state
        self._special = special
        self.events = self.bytes = 0

    def history(self, job_id: str, after: int, until: int, limit: int) -> Sequence[Stored]:
        versions = range(after + 1, min(until, after + limit) + 1)
        read = within_bytes(
            self._special.get(each)
            or Stored(each, job_id, each, "HeartbeatReceived:1", self._state)
            for each in versions
        )
        self.events += len(read)
        self.bytes += sum(len(each.state) for each in read)
        return read


@pytest.mark.parametrize("length", [2, MAX_IN_STATE + 1, 2**20])
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


@pytest.mark.parametrize("length", [150_000, 200_000])
@pytest.mark.parametrize("version", [199, 185])
def test_the_newest_of_long_events_are_read_first(
    memory: Deployment, version: int, length: int
) -> None:
    report(memory, status="failed", error=FIRST)
    kept = memory.reader.instance("job")
    assert kept is not None
    failure = memory.milepost.store.history("job")[-1]
    # After ten short events, a read of a hundred would end at its bound, with the older ones.
    special = {each: Stored(each, "job", each, "HeartbeatReceived:1", b"{}") for each in SHORT}
    log = LongLog(b"x" * length, {**special, version: failure._replace(version=version)})

    looked = WholeErrors(cast(Log, log), memory.milepost.mapper).of(
        msgspec.structs.replace(kept, version=200)
    )

    assert looked.attempt.final is not None
    assert looked.attempt.final.error == FIRST
    assert log.bytes <= MOST_BYTES + READ_BYTES + length


def test_of_errors_that_are_kept_alike_the_newest_is_shown(memory: Deployment) -> None:
    older, newer = ("x" * 30_000 + middle + "x" * 30_000 for middle in ("older", "newer"))
    for run, error in enumerate((older, newer)):
        report(memory, status="provisioning", workflow_run_id=str(run))
        report(memory, status="failed", error=error, workflow_run_id=str(run))
    kept = memory.reader.instance("job")
    assert kept is not None

    looked = memory.history.with_whole_errors(kept)

    assert looked.attempt.final is not None
    assert looked.attempt.final.error == newer


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

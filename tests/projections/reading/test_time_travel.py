"""Time travel shows what the row was at that time, with snapshots and without."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import NotFound
from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.job.events import CATALOGUE, Fact, JobEvent
from domain.log.mapper import JobEventMapper
from domain.log.reading.contract import NEWEST
from domain.log.store import Append
from domain.log.stored import Stored
from domain.log.upcasting import Shapes, Upcaster
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from projections.projecting.projector import Projector
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Changes, ViewSnapshot
from projections.reading.time_travel import NoSuchMoment, PointInHistory, checked, newest_of, travel
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views
from tests.support.jobs.strategies import facts, minute, moments
from tests.support.stores.deployment import NOON, Clock, Deployment

VIEWS = Views()
SHIPPED = load()
NEVER = 10**9
MICROSECOND = timedelta(microseconds=1)
UNREADABLE = None
happened = st.lists(facts(moments) | st.just(UNREADABLE), min_size=1, max_size=25)


def in_memory() -> Deployment:
    return Deployment({"PERSISTENCE_MODULE": "domain.log.memory"}, SHIPPED, Clock())


def append(made: Deployment, history: Sequence[Fact | None], after: int = 0) -> None:
    """Append facts of one job as its events; for None, an event that cannot be read."""
    rows = [
        made.milepost.mapper.to_stored_event(JobEvent("job", version, fact))
        if fact
        else StoredEvent("job", version, "JobPainted", b"{}")
        for version, fact in enumerate(history, start=after + 1)
    ]
    made.milepost.store.transact({}, [], lambda _: Append(rows))


def project(made: Deployment, every: int, batch: int = 4000) -> None:
    Projector(
        made.milepost.store,
        made.read_model,
        made.milepost.mapper,
        made.workflows,
        batch=batch,
        snapshot_every=every,
    ).catch_up()


def rows(made: Deployment, job_id: str = "job") -> tuple[Instance, Timeline]:
    """Return the states of the job's rows, or the first states if it has no rows."""
    views = Views(made.milepost.mapper.cipher)
    documents = [made.read_model.documents(name, [job_id]) for name in ("instances", "timelines")]
    return (
        views.instance.load(job_id, documents[0].get(job_id)),
        views.timeline.load(job_id, documents[1].get(job_id)),
    )


def states_at(
    made: Deployment,
    point: PointInHistory,
    job_id: str = "job",
    read_model: Any = None,
    mapper: JobEventMapper | None = None,
) -> tuple[Instance, Timeline]:
    read_model, mapper = read_model or made.read_model, mapper or made.milepost.mapper
    views = Views(mapper.cipher)
    return (
        travel(views.instance, job_id, point, read_model, mapper),
        travel(views.timeline, job_id, point, read_model, mapper),
    )


def by(history: Sequence[Fact | None], at: datetime) -> int:
    """Return the number of events in the longest beginning that was recorded by then."""
    for version, fact in enumerate(history):
        if fact and fact.recorded_at > at:
            return version
    return len(history)


class Reads:
    """A read model, and its log, that remembers which versions were read."""

    def __init__(self, real: ReadModel) -> None:
        self._real = real
        self.versions: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def log(self) -> Self:
        return self

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        found = self._real.log.history(job_id, after, until, limit)
        self.versions += [stored.version for stored in found]
        return found


@settings(deadline=None, max_examples=60)
@given(happened, st.sampled_from([1, 2, 3, 7, NEVER]), st.integers(1, 30))
def test_every_version_and_every_time_is_what_the_row_was_then(
    history: list[Fact | None], every: int, batch: int
) -> None:
    """This holds for any facts, with any clocks and any snapshots."""
    then = in_memory()
    was = [rows(then)]
    for version, fact in enumerate(history):
        append(then, [fact], after=version)
        project(then, NEVER)
        was.append(rows(then))
    now = in_memory()
    append(now, history)
    project(now, every, batch)

    for version, expected in enumerate(was):
        assert states_at(now, PointInHistory(version)) == expected
    for fact in history:
        if fact:
            for near in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND):
                at = fact.recorded_at + near
                assert states_at(now, PointInHistory(at=at)) == was[by(history, at)]


def lived(made: Deployment, clock: Clock, times: int = 60) -> list[datetime]:
    """Let many things happen to a job, with a clock that is set back now and then."""
    chance, said = random.Random(7), []
    made.milepost.queue(QueueJob(job_id="job", agent_id="agent", user_id="ada", workflow="vm@1"))
    for _ in range(times):
        said.append(clock.advance(chance.choice((1, 30, 200, -150))))
        happening = chance.choice(
            (
                {"type": "heartbeat"},
                {"status": "provisioning"},
                {"status": "provisioning", "step": chance.choice(("vm_created", "coffee_made"))},
                {"status": "failed", "error": "boom", "server_id": "srv-1"},
            )
        )
        made.milepost.record(Callback(job_id="job", **happening))  # type: ignore[arg-type]
    return said


@pytest.mark.parametrize("every", [5, NEVER])
def test_every_store_travels_alike(stores: Deployment, clock: Clock, every: int) -> None:
    said = lived(stores, clock)
    mapper = stores.milepost.mapper
    state = Instance("job"), Timeline("job")
    was = [state]
    history: list[Fact | None] = []
    for stored in stores.read_model.log.history("job"):
        event = mapper.read(stored)
        state = VIEWS.instance.evolve(state[0], event), VIEWS.timeline.evolve(state[1], event)
        was.append(state)
        history.append(event.fact)
    project(stores, every, batch=7)

    for version, expected in enumerate(was):
        assert states_at(stores, PointInHistory(version)) == expected
    for at in said:
        assert states_at(stores, PointInHistory(at=at)) == was[by(history, at)]
        assert states_at(stores, PointInHistory(9, at)) == was[min(by(history, at), 9)]


def test_it_starts_from_the_nearest_snapshot(stores: Deployment) -> None:
    """Otherwise any point in the history of a long job would cost its whole history."""
    heartbeats(stores, 100)
    project(stores, every=10, batch=5)
    for point, latest in ((PointInHistory(57), 57), (PointInHistory(at=minute(57)), 100)):
        reads = Reads(stores.read_model)

        assert states_at(stores, point, read_model=reads)[0].version == 57

        assert min(reads.versions) == 51
        assert max(reads.versions) == latest


def heartbeats(made: Deployment, count: int) -> None:
    """Record heartbeats, the n-th at minute n."""
    for number in range(1, count + 1):
        made.clock.now = minute(number)
        made.milepost.record(Callback(job_id="job", type="heartbeat"))


def test_a_snapshot_that_cannot_be_read_is_ignored(stores: Deployment) -> None:
    heartbeats(stores, 12)
    project(stores, NEVER)
    expected = states_at(stores, PointInHistory(11))
    position = stores.read_model.position()
    broken = [ViewSnapshot("job", view, 10, NOON, "?") for view in ("instances", "timelines")]
    stores.read_model.apply(Changes(position, position, snapshots=broken))

    assert states_at(stores, PointInHistory(11)) == expected


def test_a_snapshot_of_another_shape_is_ignored(databases: Deployment) -> None:
    heartbeats(databases, 3)
    project(databases, every=1)
    recorder: Any = databases.milepost.recorder
    newer: ReadModel = type(databases.read_model)(recorder, "9999")  # type: ignore[call-arg]

    assert databases.read_model.snapshot("instances", "job", NEWEST) is not None
    assert newer.snapshot("instances", "job", NEWEST) is None


def test_only_a_job_that_reaches_the_interval_gets_a_snapshot(stores: Deployment) -> None:
    heartbeats(stores, 9)
    project(stores, every=10, batch=4)
    assert stores.read_model.snapshot("instances", "job", NEWEST) is None
    stores.milepost.record(Callback(job_id="job", type="heartbeat"))

    project(stores, every=10, batch=4)

    for view in ("instances", "timelines"):
        snapshot = stores.read_model.snapshot(view, "job", NEWEST)
        assert snapshot is not None
        assert (snapshot.version, snapshot.recorded_at) == (10, minute(9))


def test_a_job_without_a_readable_event_gets_no_snapshot(stores: Deployment) -> None:
    append(stores, [UNREADABLE, UNREADABLE])

    project(stores, every=1)

    assert stores.read_model.snapshot("instances", "job", NEWEST) is None


class LaterMapper(JobEventMapper):
    """The mapper of a later release, which can read one more event."""

    shapes = Shapes(CATALOGUE, {"StepTaken": Upcaster("StepReported", dict)})


def test_what_a_later_release_understands_is_folded_into_the_past_too(stores: Deployment) -> None:
    """The projector deletes the snapshots that had passed over the event."""
    step = Callback(job_id="job", status="provisioning", step="vm_created").facts(NOON)[0]
    named = stores.milepost.mapper.to_stored_event(JobEvent("job", 1, step))
    unknown = StoredEvent("job", 1, "StepTaken", named.state)
    stores.milepost.store.transact({}, [], lambda _: Append([unknown]))
    heartbeats(stores, 3)
    project(stores, every=1, batch=1)
    assert states_at(stores, PointInHistory(2))[0].attempt.steps == {}

    later = LaterMapper(JSONTranscoder())
    Projector(
        stores.milepost.store, stores.read_model, later, stores.workflows, snapshot_every=1
    )._steps.try_again()

    instance, timeline = states_at(stores, PointInHistory(2), mapper=later)
    assert instance.attempt.steps.keys() == {"vm_created"}
    assert timeline.runs.present.steps.keys() == {"vm_created"}


def test_an_encrypted_past_is_sealed_and_can_be_visited(
    tmp_path: Path, workflows: Workflows, clock: Clock
) -> None:
    env = {
        "PERSISTENCE_MODULE": "domain.log.sqlite",
        "SQLITE_DBNAME": str(tmp_path / "sealed.db"),
        "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
        "CIPHER_KEY": b64encode(bytes(16)).decode(),
    }
    made = Deployment(env, workflows, clock)
    for step in ("vm_created", "ansible_started"):
        made.milepost.record(
            Callback(job_id="job", status="provisioning", step=step, server_id="srv-secret")
        )
    project(made, every=1, batch=1)

    snapshot = made.read_model.snapshot("instances", "job", 1)
    assert states_at(made, PointInHistory(1))[0].attempt.steps.keys() == {"vm_created"}
    made.close()

    assert snapshot is not None
    assert "vm_created" not in snapshot.document
    assert b"srv-secret" not in Path(env["SQLITE_DBNAME"]).read_bytes()


# Points that a history does not have


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (PointInHistory(0), "The job began with version 1, at 2026-03-02T12:01:00+00:00."),
        (PointInHistory(at=minute(0)), "The job began at 2026-03-02T12:01:00+00:00."),
        (PointInHistory(4), "The job's newest version is 3."),
    ],
)
def test_a_point_outside_the_history_is_explained(point: PointInHistory, said: str) -> None:
    present = Instance("job", version=3, created_at=minute(1))

    with pytest.raises(NoSuchMoment) as refused:
        checked(point, present)

    assert str(refused.value) == said
    assert isinstance(refused.value, NotFound)


def test_a_job_whose_events_cannot_be_read_is_explained() -> None:
    with pytest.raises(NoSuchMoment, match="cannot be read"):
        checked(PointInHistory(at=NOON), Instance("job", version=1))


def test_the_newest_job_of_a_time_is_the_one_registered_last_by_then() -> None:
    """The order of registrations counts, not the order of the first events."""
    jobs = [
        Instance("second", first_position=1, queued_at=minute(2)),
        Instance("first", first_position=2, queued_at=minute(1)),
        Instance("nobody's", first_position=3),
    ]

    assert newest_of(jobs, minute(1)).job_id == "first"
    assert newest_of(jobs, minute(2)).job_id == "second"
    with pytest.raises(NoSuchMoment, match="12:01:00"):
        newest_of(jobs, minute(0))


def test_an_agent_whose_registrations_cannot_be_read_is_explained() -> None:
    with pytest.raises(NoSuchMoment, match="cannot be read"):
        newest_of([Instance("first")], minute(0))

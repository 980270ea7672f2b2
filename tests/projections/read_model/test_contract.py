"""Every store of rows fulfils the contract of the read model."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any, cast

import msgspec
import pytest
from eventsourcing.persistence import PersistenceError

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from projections.read_model.contract import PositionMoved, ReadModel
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.machines import MachineRow
from projections.read_model.rows import Changes, InstanceRow, Row, SetAside, ViewSnapshot
from projections.read_model.sightings import Sighting
from tests.support.jobs.strategies import minute
from tests.support.projectors.projecting import PATIENCE
from tests.support.stores.deployment import NOON, Deployment
from tests.support.stores.tampering import Database


def row(
    job_id: str,
    first_position: int = 1,
    status: str = "pending",
    agent_id: str | None = "agent",
    user_id: str | None = "ada",
    look_at: datetime | None = None,
    due_at: datetime | None = None,
    unresponsive_at: datetime | None = None,
    version: int = 1,
    workflow: str = "",
) -> InstanceRow:
    return InstanceRow(
        job_id,
        version,
        f"document of {job_id} at {version}",
        first_position,
        agent_id,
        user_id,
        status,
        None,
        due_at,
        unresponsive_at,
        look_at,
        workflow=workflow,
    )


def applied(read_model: ReadModel, *rows: InstanceRow) -> None:
    read_model.apply(Changes(read_model.position(), read_model.position() + 1, rows))


def listed(read_model: ReadModel, wanted: JobFilter) -> list[str]:
    return [found.job_id for found in read_model.instances(wanted)]


def everything(read_model: ReadModel) -> tuple[object, ...]:
    return (
        read_model.position(),
        [msgspec.structs.astuple(found) for found in read_model.instances(JobFilter())],
        dict(read_model.documents("timelines", ["one", "two"])),
        list(read_model.set_aside()),
    )


def heartbeat(made: Deployment, job_id: str = "job") -> int:
    position = made.milepost.record(Callback(job_id=job_id, type="heartbeat")).position
    assert position is not None
    return position


def versions(sighting: Sighting) -> list[int]:
    return [stored.version for stored in sighting.tail]


# Attention


def needing(job_id: str, rank: int | None, since: int = 0, place: int = 1) -> InstanceRow:
    applies = None if rank is None else minute(since)
    found = row(job_id, place, agent_id=f"of {job_id}")
    return msgspec.structs.replace(found, attention_rank=rank, attention_from=applies)


def listed_needing(read_model: ReadModel, **wanted: Any) -> list[str]:
    rows = read_model.attention(AttentionFilter(**{"now": minute(10), **wanted}))
    return [found.job_id for found in rows]


def test_a_count_ends_with_its_limit_and_reads_no_more(stores: Deployment) -> None:
    read_model = stores.read_model
    applied(read_model, *(needing(f"job-{number}", None, place=number) for number in range(1, 6)))

    assert read_model.count(JobFilter()) == 5
    assert read_model.count(JobFilter(limit=3)) == 3
    assert read_model.count(JobFilter(before=3)) == 2
    assert read_model.count(JobFilter(status="failed")) == 0
    assert read_model.count(JobFilter(agent_id="of job-2")) == 1


def test_jobs_that_may_need_somebody_are_listed_the_worst_first(stores: Deployment) -> None:
    applied(
        stores.read_model,
        needing("fine", None),
        needing("pending", 2, place=2),
        needing("newer", 0, place=5),
        needing("later", 0, since=11, place=3),
        needing("older", 0, since=10, place=4),
        needing("silent", 1, place=6),
    )

    assert listed_needing(stores.read_model) == ["older", "newer", "silent", "pending"]
    assert listed_needing(stores.read_model, limit=2) == ["older", "newer"]
    assert listed_needing(stores.read_model, after=(0, 5)) == ["silent", "pending"]
    assert listed_needing(stores.read_model, agent_id="of silent") == ["silent"]
    assert listed_needing(stores.read_model, user_id="bob") == []
    assert listed_needing(stores.read_model, status="pending", after=(1, 6)) == ["pending"]
    assert stores.read_model.attention_counts(minute(10)) == {0: 2, 1: 1, 2: 1}
    assert stores.read_model.attention_counts(minute(11)) == {0: 3, 1: 1, 2: 1}


def test_a_job_that_is_well_again_needs_nobody(stores: Deployment) -> None:
    applied(stores.read_model, needing("one", 1))

    applied(stores.read_model, needing("one", None))

    assert listed_needing(stores.read_model) == []


# Machines


def used(read_model: ReadModel, *machines: str) -> list[tuple[str, str, str | None]]:
    found = read_model.uses_of(machines)
    assert found is not None
    assert found.position == read_model.position()
    return [msgspec.structs.astuple(use) for use in found.uses]


def test_a_machine_has_two_jobs_at_most_that_use_it(stores: Deployment) -> None:
    read_model = stores.read_model
    machines = [MachineRow("m", f"job-{number}") for number in (3, 1, 2)]
    machines += [MachineRow("other", "job-3"), MachineRow("m", "without a row")]
    jobs = [row("job-1", 1), row("job-2", 2, user_id=None), row("job-3", 3)]
    read_model.apply(Changes(0, 1, jobs, machines=machines))

    assert used(read_model, "m") == [("m", "job-1", "ada"), ("m", "job-2", None)]
    assert used(read_model, "other", "none", "m")[1:] == [
        ("m", "job-2", None),
        ("other", "job-3", "ada"),
    ]
    assert used(read_model, "none") == []


def test_machines_are_given_up_and_forgotten(stores: Deployment) -> None:
    read_model = stores.read_model
    one, two = MachineRow("m", "one"), MachineRow("n", "two")
    read_model.apply(Changes(0, 1, [row("one"), row("two")], machines=[one, two]))

    # A job that goes on with the machine that it has.
    read_model.apply(Changes(1, 2, machines=[one]))
    assert used(read_model, "m", "n") == [("m", "one", "ada"), ("n", "two", "ada")]
    read_model.apply(Changes(2, 3, machines=[MachineRow("o", "one")], machines_given_up=[one]))
    assert used(read_model, "m", "n", "o") == [("n", "two", "ada"), ("o", "one", "ada")]
    read_model.apply(Changes(3, 4, tried_again=["two"], machines=[MachineRow("p", "two")]))
    assert used(read_model, "n", "o", "p") == [("o", "one", "ada"), ("p", "two", "ada")]


def test_nobody_knows_the_jobs_of_a_machine_while_another_release_is_served(
    databases: Deployment,
) -> None:
    databases.read_model.apply(Changes(0, 1, [row("one")], machines=[MachineRow("m", "one")]))
    newer = databases.again("10")

    assert newer.read_model.uses_of(["m"]) is None
    newer.close()


# Rows and position


def test_an_empty_read_model_has_nothing(stores: Deployment) -> None:
    read_model = stores.read_model

    assert (read_model.position(), read_model.log.newest_position()) == (0, 0)
    assert read_model.documents("instances", ["one"]) == {}
    assert list(read_model.instances(JobFilter())) == []
    assert dict(read_model.counts()) == {}
    assert list(read_model.due(NOON, None, 10)) == []
    assert read_model.silent(NOON) == 0
    assert list(read_model.set_aside()) == []


def test_rows_and_position_are_written_together(stores: Deployment) -> None:
    read_model = stores.read_model
    aside = SetAside(5, "two", 1, "JobPainted", "unknown event")

    read_model.apply(
        Changes(0, 7, [row("one")], [Row("one", 1, "timeline of one")], [aside]),
    )

    assert read_model.position() == 7
    assert read_model.documents("instances", ["one", "two"]) == {"one": "document of one at 1"}
    assert read_model.documents("timelines", ["one", "two"]) == {"one": "timeline of one"}
    assert list(read_model.set_aside()) == [aside]


def test_a_row_is_replaced(stores: Deployment) -> None:
    applied(stores.read_model, row("one", status="pending"))
    moved = row("one", 3, "running", "other", "bob", version=4)

    applied(stores.read_model, moved)

    assert list(stores.read_model.instances(JobFilter())) == [Row("one", 4, moved.document)]
    assert dict(stores.read_model.counts()) == {"running": 1}
    assert listed(stores.read_model, JobFilter(user_id="bob", agent_id="other")) == ["one"]


def test_a_batch_without_rows_moves_the_position(stores: Deployment) -> None:
    stores.read_model.apply(Changes(0, 9))

    assert stores.read_model.position() == 9


@pytest.mark.parametrize("since", [0, 2, 8])
def test_a_batch_from_another_position_is_refused_and_writes_nothing(
    stores: Deployment, since: int
) -> None:
    stores.read_model.apply(Changes(0, 7, [row("one")], [Row("one", 1, "timeline")]))
    before = everything(stores.read_model)

    with pytest.raises(PositionMoved):
        stores.read_model.apply(
            Changes(
                since,
                9,
                [row("one", status="failed"), row("two")],
                [Row("two", 1, "timeline")],
                [SetAside(8, "two", 1, "JobPainted", "unknown event")],
            )
        )

    assert everything(stores.read_model) == before
    stores.read_model.apply(Changes(7, 8))


def test_a_batch_that_cannot_be_written_whole_is_not_written_at_all(
    databases: Deployment,
) -> None:
    """The rows and the position are one commit, whichever of its writes fails."""
    databases.read_model.apply(Changes(0, 7, [row("one")], [Row("one", 1, "timeline")]))
    before = everything(databases.read_model)
    nothing = cast("str", None)
    timeline, aside = Row("two", 1, "timeline"), SetAside(8, "two", 1, "JobPainted", nothing)

    for changes in (
        Changes(7, 9, [row("two"), row("three", status=nothing)]),
        Changes(7, 9, [row("two")], [timeline, Row("three", 1, nothing)]),
        Changes(7, 9, [row("two")], [timeline], [aside]),
    ):
        with pytest.raises(PersistenceError):
            databases.read_model.apply(changes)
        assert everything(databases.read_model) == before

    databases.read_model.apply(Changes(7, 9, [row("two")], [timeline]))


def test_the_newest_position_is_that_of_the_newest_event(stores: Deployment) -> None:
    heartbeat(stores)
    newest = heartbeat(stores)

    assert stores.read_model.log.newest_position() == newest


def test_a_document_keeps_every_character(stores: Deployment) -> None:
    document = '{"error": "Zürich ☁ \\u0000 \' \\" %s ? {}"}'
    job_id = "a/b'c\"d%20☁"

    read = msgspec.structs.replace(row(job_id), document=document)
    applied(stores.read_model, read)

    assert stores.read_model.documents("instances", [job_id]) == {job_id: document}
    assert stores.read_model.sight("instances", job_id).document == document


# Sighting one job


@pytest.mark.parametrize("view", ["instances", "timelines"])
def test_a_sighting_is_the_row_and_what_it_has_not_folded(stores: Deployment, view: str) -> None:
    """The row is right before, between and after all batches of events."""
    positions = [heartbeat(stores), heartbeat(stores, "other"), heartbeat(stores)]

    unfolded = stores.read_model.sight(view, "job")
    assert (unfolded.job_id, unfolded.document, versions(unfolded)) == ("job", None, [1, 2])
    assert [stored.position for stored in unfolded.tail] == [positions[0], positions[2]]
    assert unfolded.tail[0].topic == "HeartbeatReceived"
    assert bytes(unfolded.tail[0].state).startswith(b'{"recorded_at":')

    for folded, tail in ((1, [2]), (2, []), (3, [])):
        since = stores.read_model.position()
        version_row = row("job", version=folded)
        timeline = Row("job", folded, version_row.document)
        stores.read_model.apply(Changes(since, since + 1, [version_row], [timeline]))
        sighting = stores.read_model.sight(view, "job")
        assert sighting.document == version_row.document
        assert versions(sighting) == tail


@pytest.mark.parametrize("view", ["instances", "timelines"])
def test_a_sighting_has_a_long_document_once_in_memory(stores: Deployment, view: str) -> None:
    """A job of 50 attempts may have megabytes, and be behind by a hundred events."""
    for _ in range(50):
        heartbeat(stores)
    document = "x" * 2**20
    read = msgspec.structs.replace(row("job"), document=document)
    stores.read_model.apply(Changes(0, 1, [read], [Row("job", 1, document)]))
    stores.read_model.sight(view, "job")  # a first look makes what later ones share

    tracemalloc.start()
    sighting = stores.read_model.sight(view, "job")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sighting.document == document
    assert versions(sighting) == list(range(2, 51))
    assert peak < 4 * len(document)


@pytest.mark.parametrize("view", ["instances", "timelines"])
def test_a_sighting_has_its_document_also_where_an_event_was_deleted(
    databases: Deployment, view: str
) -> None:
    for _ in range(4):
        heartbeat(databases)
    read = row("job", version=1)
    databases.read_model.apply(Changes(0, 1, [read], [Row("job", 1, read.document)]))
    Database(databases).run("DELETE FROM milepost_events WHERE originator_version = 2")

    sighting = databases.read_model.sight(view, "job")

    assert sighting.document == read.document
    assert versions(sighting) == [3, 4]


def test_a_sighting_of_an_unknown_job_is_empty(stores: Deployment) -> None:
    heartbeat(stores)

    assert stores.read_model.sight("instances", "nobody") == Sighting("nobody", None, [])


def test_a_sighting_of_an_agent_is_one_of_its_newest_job(stores: Deployment) -> None:
    for job_id in ("one", "two"):
        stores.milepost.queue(QueueJob(job_id=job_id, agent_id="agent", workflow="vm@1"))
        stores.milepost.record(Callback(job_id=job_id, status="running"))

    [found] = stores.read_model.sight_agents(["agent"])
    assert found == stores.read_model.sight("instances", "two")
    stores.projector.catch_up()
    [found] = stores.read_model.sight_agents(["agent"])
    assert found == stores.read_model.sight("instances", "two")
    assert found is not None
    assert found.document is not None
    assert stores.read_model.sight_agents(["nobody", "agent"]) == [None, found]


def test_many_agents_are_read_at_once_each_with_its_own_job(stores: Deployment) -> None:
    for name in ("a", "b"):
        stores.milepost.queue(QueueJob(job_id=f"of-{name}", agent_id=name, workflow="vm@1"))
        stores.milepost.record(Callback(job_id=f"of-{name}", status="provisioning"))
    stores.milepost.record(Callback(job_id="of-b", type="heartbeat"))

    found = stores.reader.instances_of(["b", "a", "nobody", "b"])

    assert found == [stores.reader.instance(each) for each in ("of-b", "of-a", "none", "of-b")]
    assert [each and each.version for each in found] == [3, 2, None, 3]


# Lists


def test_instances_are_listed_the_newest_first(stores: Deployment) -> None:
    applied(stores.read_model, row("one", 10), row("three", 30), row("two", 20))

    assert listed(stores.read_model, JobFilter()) == ["three", "two", "one"]


def test_instances_are_filtered(stores: Deployment) -> None:
    applied(
        stores.read_model,
        row("one", 1, "running", "a", "ada"),
        row("two", 2, "failed", "a", "ada"),
        row("three", 3, "running", "b", "bob"),
        row("four", 4, "pending", None, None),
    )

    for wanted, found in (
        (JobFilter(), ["four", "three", "two", "one"]),
        (JobFilter(agent_id="a"), ["two", "one"]),
        (JobFilter(user_id="bob"), ["three"]),
        (JobFilter(status="running"), ["three", "one"]),
        (JobFilter(user_id="ada", status="running"), ["one"]),
        (JobFilter(agent_id="a", user_id="ada", status="failed", before=3), ["two"]),
        (JobFilter(agent_id="a", user_id="bob"), []),
        (JobFilter(status=""), []),
    ):
        assert listed(stores.read_model, wanted) == found


def test_a_cursor_goes_on_where_the_page_before_ended(stores: Deployment) -> None:
    applied(stores.read_model, *(row(f"job-{place}", place) for place in range(1, 8)))
    pages = []
    before: int | None = None
    while page := listed(stores.read_model, JobFilter(before=before, limit=3)):
        pages.append(page)
        before = int(page[-1].removeprefix("job-"))

    assert pages == [["job-7", "job-6", "job-5"], ["job-4", "job-3", "job-2"], ["job-1"]]


def test_the_last_run_of_a_workflow_is_its_newest_job(stores: Deployment) -> None:
    applied(
        stores.read_model,
        row("one", 10, workflow="vm@1"),
        row("two", 20, workflow="vm@1"),
        row("three", 30, workflow="vm@2"),
        row("four", 5),
    )

    for workflow, last in (("vm@1", "two"), ("vm@2", "three"), ("", "four")):
        found = stores.read_model.last_run(workflow)
        assert found is not None
        assert found.job_id == last
    for workflow in ("vm", "vm@10", "wm@1", "a"):
        assert stores.read_model.last_run(workflow) is None


def test_instances_are_counted_by_status(stores: Deployment) -> None:
    applied(
        stores.read_model, row("one", status="running"), row("two"), row("three", status="running")
    )

    assert dict(stores.read_model.counts()) == {"running": 2, "pending": 1}


def due(read_model: ReadModel, before: datetime) -> list[str]:
    return [found.job_id for found in read_model.due(before, None, 10)]


def test_due_jobs_are_those_whose_deadline_is_before(stores: Deployment) -> None:
    """Times are compared to the microsecond, and in any time zone."""
    applied(
        stores.read_model,
        row("longest", look_at=minute(0), due_at=minute(1)),
        row("just", look_at=minute(1), due_at=minute(5) - timedelta(microseconds=1)),
        row("not yet", look_at=minute(1), due_at=minute(5)),
        row("alive", look_at=minute(5), due_at=minute(6) + timedelta(milliseconds=5)),
        row("ended"),
    )

    assert due(stores.read_model, minute(5)) == ["longest", "just"]
    assert due(stores.read_model, datetime.fromisoformat("2026-03-02T14:05:00+02:00")) == [
        "longest",
        "just",
    ]
    assert due(stores.read_model, minute(7)) == ["longest", "just", "not yet", "alive"]


def test_due_jobs_come_in_pages_also_where_many_have_one_time(stores: Deployment) -> None:
    rows = [row(f"job-{n}", look_at=minute(n // 4), due_at=minute(3)) for n in range(10)]
    applied(stores.read_model, *reversed(rows))

    seen: list[str] = []
    last = None
    while page := stores.read_model.due(minute(4), last, 3):
        seen += [found.job_id for found in page]
        last = page[-1]

    assert seen == [f"job-{n}" for n in range(10)]


def test_a_job_that_is_heard_of_again_is_no_longer_due(stores: Deployment) -> None:
    applied(stores.read_model, row("one", look_at=NOON, due_at=NOON, unresponsive_at=NOON))

    applied(stores.read_model, row("one", version=2))

    assert due(stores.read_model, minute(60)) == []
    assert stores.read_model.silent(minute(60)) == 0


def test_silent_jobs_are_counted_between_two_times(stores: Deployment) -> None:
    applied(
        stores.read_model,
        *(
            row(f"job-{n}", look_at=minute(n - 1), due_at=minute(30), unresponsive_at=minute(n))
            for n in range(1, 7)
        ),
        row("pending", look_at=minute(1), due_at=minute(1)),
    )

    assert stores.read_model.silent(minute(4)) == 4
    assert stores.read_model.silent(minute(4), minute(1)) == 3
    assert stores.read_model.silent(minute(60), minute(60)) == 0


def test_the_newest_of_what_was_set_aside_comes_first(stores: Deployment) -> None:
    aside = [SetAside(place, "job", place, "JobPainted", "unknown event") for place in (3, 1, 2)]
    stores.read_model.apply(Changes(0, 3, set_aside=aside))

    assert [event.position for event in stores.read_model.set_aside()] == [3, 2, 1]
    assert [event.position for event in stores.read_model.set_aside(limit=2)] == [3, 2]


# Preparing


def test_preparing_again_changes_nothing(stores: Deployment) -> None:
    heartbeat(stores, "one")
    stores.projector.catch_up()
    before = everything(stores.read_model)

    stores.read_model.prepare()

    assert before[0] != 0
    assert everything(stores.read_model) == before


def test_rows_outlive_the_process(databases: Deployment) -> None:
    heartbeat(databases, "one")
    databases.projector.catch_up()

    another = databases.again()

    assert everything(another.read_model) == everything(databases.read_model)
    another.close()


# The projector's lock


def test_one_projector_at_a_time_holds_the_lock(stores: Deployment) -> None:
    with stores.read_model.projector_lock() as first, stores.read_model.projector_lock() as second:
        assert first is not None
        assert second is None

    with stores.read_model.projector_lock() as third:
        assert third is not None


def test_one_process_at_a_time_holds_the_lock(databases: Deployment) -> None:
    another = databases.again()

    with (
        databases.read_model.projector_lock() as first,
        another.read_model.projector_lock() as second,
    ):
        assert first is not None
        assert second is None

    with another.read_model.projector_lock() as third:
        assert third is not None
    another.close()


def test_an_exception_releases_the_projectors_lock(stores: Deployment) -> None:
    with pytest.raises(LookupError), stores.read_model.projector_lock():
        raise LookupError

    with stores.read_model.projector_lock() as wake_ups:
        assert wake_ups is not None


def test_an_interruption_ends_the_wait_for_events_and_each_later_one(stores: Deployment) -> None:
    ended = Event()
    with stores.read_model.projector_lock() as wake_ups, stores.read_model.wake_ups() as others:
        assert wake_ups is not None

        def wait_three_times() -> None:
            wake_ups.wait(10 * PATIENCE)
            wake_ups.wait(10 * PATIENCE)
            others.wait(10 * PATIENCE)
            ended.set()

        Thread(target=wait_three_times, daemon=True).start()
        wake_ups.interrupt()
        others.interrupt()

        assert ended.wait(PATIENCE)


def test_each_database_has_a_lock_of_its_own(stores: Deployment, memory: Deployment) -> None:
    with stores.read_model.projector_lock(), memory.read_model.projector_lock() as wake_ups:
        assert wake_ups is not None


# The past


def snapshot_at(
    version: int, at: int, job_id: str = "one", view: str = "instances"
) -> ViewSnapshot:
    return ViewSnapshot(job_id, view, version, minute(at), f"{view} of {job_id} at {version}")


def test_a_snapshot_is_the_newest_that_is_not_beyond_what_is_asked_for(
    stores: Deployment,
) -> None:
    read_model = stores.read_model
    first, second = snapshot_at(10, 1), snapshot_at(20, 2)
    others = [snapshot_at(15, 1, "two"), snapshot_at(15, 1, view="timelines")]
    read_model.apply(Changes(0, 1, snapshots=[second, first, *others]))

    for until, recorded_by, found in (
        (9, None, None),
        (10, None, first),
        (19, None, first),
        (20, None, second),
        (10**9, None, second),
        (20, minute(2), second),
        (20, minute(2) - timedelta(microseconds=1), first),
        (20, minute(0), None),
    ):
        assert read_model.snapshot("instances", "one", until, recorded_by) == found
    assert read_model.snapshot("instances", "three", 20) is None


def test_a_snapshot_is_stored_with_the_batch_or_not_at_all(stores: Deployment) -> None:
    with pytest.raises(PositionMoved):
        stores.read_model.apply(Changes(5, 6, snapshots=[snapshot_at(10, 1)]))

    assert stores.read_model.snapshot("instances", "one", 10) is None


def test_a_snapshot_is_replaced_and_forgotten_with_what_was_set_aside(stores: Deployment) -> None:
    read_model = stores.read_model
    read_model.apply(Changes(0, 1, snapshots=[snapshot_at(10, 1), snapshot_at(10, 1, "two")]))
    again = snapshot_at(10, 3)

    read_model.apply(Changes(1, 2, snapshots=[again]))
    assert read_model.snapshot("instances", "one", 10) == again
    read_model.apply(Changes(2, 3, tried_again=["one"], snapshots=[snapshot_at(9, 1)]))

    assert read_model.snapshot("instances", "one", 10) == snapshot_at(9, 1)
    assert read_model.snapshot("instances", "two", 10) == snapshot_at(10, 1, "two")


def test_a_part_of_a_history(stores: Deployment) -> None:
    for _ in range(5):
        heartbeat(stores)
        heartbeat(stores, "another")

    def part(*asked: int) -> list[int]:
        return [event.version for event in stores.read_model.log.history("job", *asked)]

    assert part() == [1, 2, 3, 4, 5]
    assert part(2) == [3, 4, 5]
    assert part(2, 4) == [3, 4]
    assert part(1, 5, 2) == [2, 3]
    assert part(5) == []


def test_the_log_goes_on_after_a_position(stores: Deployment) -> None:
    positions = [heartbeat(stores, job_id) for job_id in ("one", "two", "one")]

    def log(after: int, limit: int = 10) -> list[int]:
        return [event.position for event in stores.read_model.log.events(after, limit)]

    assert log(0) == positions
    assert log(0, 2) == positions[:2]
    assert log(positions[0]) == positions[1:]
    assert log(positions[-1]) == []


def test_the_log_of_a_user_is_that_of_the_jobs_that_are_known_as_theirs(
    stores: Deployment,
) -> None:
    for job_id, user_id in (("one", "ada"), ("two", "bob")):
        stores.milepost.queue(
            QueueJob(job_id=job_id, agent_id=job_id, user_id=user_id, workflow="vm@1")
        )
    first, second, third = (heartbeat(stores, job_id) for job_id in ("one", "two", "one"))
    stores.projector.catch_up()
    later = heartbeat(stores, "one")

    def log(after: int, user_id: str, limit: int = 10) -> list[int]:
        return [event.position for event in stores.read_model.events_of(user_id, after, limit)]

    assert log(0, "ada") == [1, first, third]
    assert log(1, "ada", 1) == [first]
    assert log(first, "ada") == [third]
    assert log(0, "bob") == [2, second]
    assert log(0, "eve") == []
    stores.projector.catch_up()
    assert log(first, "ada") == [third, later]

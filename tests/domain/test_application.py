"""The use cases, on every store."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from domain.errors import (
    AgentTaken,
    CallbackConflict,
    JobAlreadyRegistered,
    JobChanged,
    JobInProgress,
    JobNotFound,
    NothingToStop,
    RegistrationConflict,
)
from domain.job.attempt.clocks import Timestamp
from domain.job.callback import Callback
from domain.job.commands.callbacks import RecordCallback
from domain.job.commands.contract import Command
from domain.job.commands.operators import OrderJob, StopJob
from domain.job.commands.registration import QueueJob
from domain.job.commands.time import TimeOutJob
from domain.job.keys.key import in_progress_key
from domain.log.store import Append
from domain.writing.batch import Receipt
from tests.support.stores.deployment import NOON, Clock, Deployment
from tests.support.stores.looking import key_of

WHOLE: dict[str, Any] = {
    "server_id": "srv-1",
    "server_ip": "203.0.113.7",
    "tailscale_ip": "100.64.0.7",
}


def provisioning(job_id: str = "job", callback_id: str | None = None, body: str = "") -> Callback:
    return Callback(
        job_id=job_id, status="provisioning", callback_id=callback_id, digest=body or None
    )


def running(job_id: str = "job", callback_id: str | None = None) -> Callback:
    return Callback(
        job_id=job_id, status="running", callback_id=callback_id, digest="00ff", **WHOLE
    )


def failed(job_id: str = "job") -> Callback:
    return Callback(job_id=job_id, status="failed", error="boom")


def registration(
    job_id: str,
    user_id: str | None = "ada",
    agent_id: str | None = None,
    key: str | None = None,
    digest: str | None = None,
    owner: str | None = None,
) -> QueueJob:
    return QueueJob(
        job_id=job_id,
        agent_id=agent_id or f"agent-of-{job_id}",
        workflow="vm@1",
        user_id=user_id,
        idempotency_key=key,
        digest=digest,
        owner=owner,
    )


def versions(made: Deployment, job_id: str) -> list[int]:
    return [event.version for event in made.milepost.store.history(job_id)]


def topics(made: Deployment, job_id: str) -> list[str]:
    return [event.topic for event in made.milepost.store.history(job_id)]


def commit(made: Deployment, *commands: Command) -> Sequence[Receipt | Exception]:
    """Commit commands as one batch, as callers do who arrive during another commit."""
    return made.milepost.committing.commit(commands)


def holder(made: Deployment, user_id: str = "ada") -> str | None:
    key = key_of(made.milepost.store, in_progress_key(user_id))
    return key.job_id if key else None


# Receipts


def test_a_receipt_tells_version_and_position(stores: Deployment) -> None:
    first = stores.milepost.record(provisioning("one"))
    other = stores.milepost.record(provisioning("two"))
    second = stores.milepost.record(failed("one"))

    assert [(each.job_id, each.version) for each in (first, other, second)] == [
        ("one", 1),
        ("two", 1),
        ("one", 2),
    ]
    positions = [each.position for each in (first, other, second)]
    notified = stores.milepost.store.events(0, 10)
    assert positions == [event.position for event in notified]


def test_a_callback_of_two_facts_gets_the_place_of_the_last(stores: Deployment) -> None:
    receipt = stores.milepost.record(running())

    assert receipt.version == 2
    assert receipt.position == stores.milepost.store.events(0, 10)[-1].position
    assert topics(stores, "job") == ["MetadataReported", "StatusReported"]


def test_a_callback_for_a_job_that_nobody_registered_is_recorded_with_a_warning(
    stores: Deployment,
) -> None:
    receipt = stores.milepost.record(Callback(job_id="stray", type="heartbeat"))

    assert receipt.version == 1
    assert receipt.warning == "job 'stray' is not registered"


def test_facts_carry_the_servers_clock(stores: Deployment, clock: Clock) -> None:
    clock.advance(5)

    stores.milepost.record(provisioning())

    claim = stores.milepost.find("job").attempt.claim
    assert claim is not None
    assert claim.recorded_at == clock()


def test_a_job_that_nobody_heard_of_has_version_0(stores: Deployment) -> None:
    assert stores.milepost.find("nobody").version == 0


# Redelivery


def test_a_redelivered_callback_is_recorded_once(stores: Deployment) -> None:
    first = stores.milepost.record(provisioning(callback_id="cb-1", body="00ff"))
    stores.milepost.record(failed())

    again = stores.milepost.record(provisioning(callback_id="cb-1", body="00ff"))

    assert (again.version, again.position) == (first.version, first.position)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert versions(stores, "job") == [1, 2]


def test_a_redelivered_callback_of_two_facts_gets_the_first_receipt(stores: Deployment) -> None:
    first = stores.milepost.record(running(callback_id="cb-1"))
    stores.milepost.record(Callback(job_id="job", type="heartbeat"))

    again = stores.milepost.record(running(callback_id="cb-1"))

    assert (again.version, again.position) == (2, first.position)
    assert versions(stores, "job") == [1, 2, 3]


def test_a_callback_id_with_another_body_is_a_conflict(stores: Deployment) -> None:
    stores.milepost.record(provisioning(callback_id="cb-1", body="00ff"))

    with pytest.raises(CallbackConflict):
        stores.milepost.record(provisioning(callback_id="cb-1", body="ff00"))

    assert versions(stores, "job") == [1]


def test_a_callback_without_an_id_is_recorded_each_time(stores: Deployment) -> None:
    for _ in range(3):
        stores.milepost.record(Callback(job_id="job", type="heartbeat", digest="00ff"))

    assert versions(stores, "job") == [1, 2, 3]


def test_a_callback_id_counts_within_its_job(stores: Deployment) -> None:
    """Also when ids have slashes in them: every one of these is another callback."""
    callbacks = [
        ("one", "cb-1"),
        ("two", "cb-1"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("a", "/"),
        ("a/", ""),
        ("a%2Fb", "c"),
        ("ä", "c"),
        ("%C3%A4", "c"),
    ]

    receipts = [
        stores.milepost.record(provisioning(*each, body=str(number)))
        for number, each in enumerate(callbacks)
    ]

    assert not any(receipt.duplicate for receipt in receipts)


def test_a_callback_that_is_delivered_twice_in_one_batch_is_recorded_once(
    stores: Deployment,
) -> None:
    first, again, other = commit(
        stores,
        RecordCallback(running(callback_id="cb-1")),
        RecordCallback(running(callback_id="cb-1")),
        RecordCallback(provisioning(callback_id="cb-1", body="ff00")),
    )

    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.version, again.position, again.duplicate) == (2, first.position, True)
    assert isinstance(other, CallbackConflict)
    assert versions(stores, "job") == [1, 2]


def test_a_callback_that_many_deliver_at_once_is_recorded_once(stores: Deployment) -> None:
    with ThreadPoolExecutor(8) as pool:
        receipts = list(
            pool.map(lambda _: stores.milepost.record(running(callback_id="cb-1")), range(32))
        )

    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert len({receipt.position for receipt in receipts}) == 1
    assert versions(stores, "job") == [1, 2]


# Registration


def test_a_registration_with_the_same_key_gets_the_same_job(stores: Deployment) -> None:
    first = stores.milepost.queue(registration("one", key="payment-1", digest="00ff"))
    again = stores.milepost.queue(registration("two", key="payment-1", digest="00ff"))

    assert (again.job_id, again.version, again.position) == ("one", 1, first.position)
    assert again.duplicate
    assert stores.milepost.find("two").version == 0


def test_a_registration_with_the_same_key_gets_the_same_job_when_it_has_ended(
    stores: Deployment,
) -> None:
    stores.milepost.queue(registration("one", key="payment-1", digest="00ff"))
    stores.milepost.record(running("one"))

    again = stores.milepost.queue(registration("two", key="payment-1", digest="00ff"))

    assert (again.job_id, again.version) == ("one", 1)


def test_a_key_that_was_used_for_another_registration_is_a_conflict(stores: Deployment) -> None:
    stores.milepost.queue(registration("one", key="payment-1", digest="00ff"))

    with pytest.raises(RegistrationConflict):
        stores.milepost.queue(registration("two", key="payment-1", digest="ff00"))

    assert stores.milepost.find("two").version == 0


def test_owners_have_keys_of_their_own(stores: Deployment) -> None:
    keys = [("ada", "k"), ("bob", "k"), (None, "k"), ("a/b", "c"), ("a", "b/c")]

    receipts = [
        stores.milepost.queue(
            registration(f"job-{n}", f"user-{n}", owner=owner, key=key, digest=str(n))
        )
        for n, (owner, key) in enumerate(keys)
    ]

    assert not any(receipt.duplicate for receipt in receipts)


def test_registrations_without_a_key_are_apart(stores: Deployment) -> None:
    stores.milepost.queue(registration("one", "ada", digest="00ff"))

    assert not stores.milepost.queue(registration("two", "bob", digest="00ff")).duplicate


def test_a_job_is_registered_once(stores: Deployment) -> None:
    stores.milepost.queue(registration("one"))

    with pytest.raises(JobAlreadyRegistered):
        stores.milepost.queue(registration("one"))


def test_a_job_may_be_registered_after_its_first_callback(stores: Deployment) -> None:
    stores.milepost.record(provisioning("one"))

    receipt = stores.milepost.queue(registration("one"))

    assert receipt.version == 2
    assert holder(stores) == "one"
    assert stores.milepost.record(Callback(job_id="one", type="heartbeat")).warning is None


def test_a_job_that_is_registered_after_its_end_is_not_in_progress(stores: Deployment) -> None:
    """So it is not refused while the user has another one, and keeps nobody waiting."""
    stores.milepost.record(running("ended"))
    stores.milepost.queue(registration("one"))

    stores.milepost.queue(registration("ended"))

    assert holder(stores) == "one"


def newest_job(stores: Deployment) -> str:
    instance = stores.reader.instance_of("agent")
    assert instance is not None
    return instance.job_id


def test_the_newest_job_of_an_agent_is_the_one_that_was_registered_last(stores: Deployment) -> None:
    assert stores.reader.instance_of("agent") is None
    for job_id in ("one", "two"):
        stores.milepost.queue(registration(job_id, agent_id="agent"))
        stores.milepost.record(running(job_id))
    stores.milepost.record(failed("one"))

    assert newest_job(stores) == "two"


def test_an_agent_of_another_user_is_refused(stores: Deployment) -> None:
    stores.milepost.queue(registration("one", "ada", agent_id="agent"))

    with pytest.raises(AgentTaken):
        stores.milepost.queue(registration("two", "bob", agent_id="agent"))
    with pytest.raises(AgentTaken):
        stores.milepost.queue(registration("two", None, agent_id="agent"))

    assert newest_job(stores) == "one"


def test_an_agent_of_nobody_can_be_given_to_somebody_but_not_taken(stores: Deployment) -> None:
    stores.milepost.queue(registration("one", None, agent_id="agent"))

    with pytest.raises(AgentTaken):
        stores.milepost.queue(registration("two", "bob", agent_id="agent", owner="bob"))
    stores.milepost.queue(registration("two", "ada", agent_id="agent"))

    assert newest_job(stores) == "two"


def test_an_agent_is_taken_by_the_first_of_one_batch(stores: Deployment) -> None:
    first, second = commit(
        stores,
        registration("one", "ada", agent_id="agent"),
        registration("two", "bob", agent_id="agent"),
    )

    assert isinstance(first, Receipt)
    assert isinstance(second, AgentTaken)
    assert newest_job(stores) == "one"


# One job in progress per user


def test_a_user_has_one_job_in_progress(stores: Deployment) -> None:
    stores.milepost.queue(registration("one"))

    with pytest.raises(JobInProgress):
        stores.milepost.queue(registration("two"))
    stores.milepost.record(provisioning("one"))
    with pytest.raises(JobInProgress):
        stores.milepost.queue(registration("two"))

    assert stores.milepost.find("two").version == 0


def test_users_are_apart(stores: Deployment) -> None:
    stores.milepost.queue(registration("one", "ada"))
    stores.milepost.queue(registration("two", "bob"))
    stores.milepost.queue(registration("three", None))
    stores.milepost.queue(registration("four", None))

    assert (holder(stores, "ada"), holder(stores, "bob")) == ("one", "two")


@pytest.mark.parametrize("end", ["running", "failed", "timeout"])
def test_a_user_may_have_another_job_once_one_has_ended(
    stores: Deployment, clock: Clock, end: str
) -> None:
    stores.milepost.queue(registration("one"))
    stores.milepost.record(provisioning("one"))
    if end == "timeout":
        clock.advance(901)
        stores.milepost.time_out("one")
    else:
        stores.milepost.record(running("one") if end == "running" else failed("one"))

    stores.milepost.queue(registration("two"))

    assert holder(stores) == "two"


def test_a_retry_is_in_progress_again(stores: Deployment) -> None:
    stores.milepost.queue(registration("one"))
    for callback in (provisioning("one"), failed("one"), provisioning("one")):
        stores.milepost.record(callback)

    with pytest.raises(JobInProgress):
        stores.milepost.queue(registration("two"))

    assert holder(stores) == "one"


def test_a_retry_is_not_refused_and_leaves_the_other_job_in_progress(stores: Deployment) -> None:
    """A callback is never refused; the key stays with whom it is, also when the retry ends."""
    stores.milepost.queue(registration("one"))
    stores.milepost.record(provisioning("one"))
    stores.milepost.record(failed("one"))
    stores.milepost.queue(registration("two"))

    stores.milepost.record(provisioning("one"))

    assert stores.milepost.find("one").attempt.number == 2
    assert holder(stores) == "two"
    stores.milepost.record(running("one"))
    assert holder(stores) == "two"
    stores.milepost.record(failed("two"))
    assert holder(stores) is None


def test_a_final_status_after_a_timeout_keeps_the_next_job_in_progress(
    stores: Deployment, clock: Clock
) -> None:
    stores.milepost.queue(registration("one"))
    stores.milepost.record(provisioning("one"))
    clock.advance(901)
    stores.milepost.time_out("one")
    stores.milepost.queue(registration("two"))

    stores.milepost.record(running("one"))

    assert stores.milepost.find("one").attempt.status == "running"
    assert holder(stores) == "two"


def test_of_many_who_register_at_once_one_is_in_progress(stores: Deployment) -> None:
    def register(number: int) -> bool:
        try:
            stores.milepost.queue(registration(f"job-{number}"))
        except JobInProgress:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(register, range(24))) == 1


# Ending, queueing and starting again within one batch


def queued_and_provisioning(made: Deployment, job_id: str = "one") -> None:
    made.milepost.queue(registration(job_id))
    made.milepost.record(provisioning(job_id))


def test_a_job_may_end_and_the_next_be_queued_in_one_batch(stores: Deployment) -> None:
    queued_and_provisioning(stores)

    ended, queued = commit(stores, RecordCallback(running("one")), registration("two"))

    assert isinstance(ended, Receipt)
    assert isinstance(queued, Receipt)
    assert holder(stores) == "two"


def test_a_job_that_is_queued_before_the_other_ends_is_refused_in_one_batch(
    stores: Deployment,
) -> None:
    queued_and_provisioning(stores)

    queued, ended = commit(stores, registration("two"), RecordCallback(running("one")))

    assert isinstance(queued, JobInProgress)
    assert isinstance(ended, Receipt)
    assert holder(stores) is None


def test_a_job_may_be_queued_and_end_in_one_batch(stores: Deployment) -> None:
    commit(
        stores,
        registration("one"),
        RecordCallback(provisioning("one")),
        RecordCallback(failed("one")),
        registration("two"),
    )

    assert holder(stores) == "two"
    assert stores.milepost.find("one").version == 3


def test_a_job_may_end_and_start_again_in_one_batch(stores: Deployment) -> None:
    queued_and_provisioning(stores)

    *_, refused = commit(
        stores,
        RecordCallback(failed("one")),
        RecordCallback(provisioning("one")),
        registration("two"),
    )

    assert isinstance(refused, JobInProgress)
    assert holder(stores) == "one"


def test_a_job_may_end_start_again_and_end_in_one_batch(stores: Deployment) -> None:
    queued_and_provisioning(stores)

    commit(
        stores,
        RecordCallback(failed("one")),
        RecordCallback(provisioning("one")),
        RecordCallback(running("one")),
    )

    assert holder(stores) is None


def test_a_retry_and_the_end_of_the_other_job_in_one_batch_free_the_user(
    stores: Deployment,
) -> None:
    """In either order, the user is not kept waiting for a job that has ended."""
    queued_and_provisioning(stores, "one")
    stores.milepost.record(failed("one"))
    queued_and_provisioning(stores, "two")

    commit(stores, RecordCallback(provisioning("one")), RecordCallback(running("two")))

    assert holder(stores) != "two"
    stores.milepost.record(running("one"))
    assert holder(stores) is None
    stores.milepost.queue(registration("three"))


def test_a_redelivery_takes_no_key_for_its_job(stores: Deployment) -> None:
    """It appends nothing, so it changes nothing: also not in a batch that does append."""
    queued_and_provisioning(stores, "one")
    stores.milepost.record(failed("one"))
    queued_and_provisioning(stores, "two")
    retry = RecordCallback(provisioning("one", callback_id="again", body="00ff"))
    commit(stores, retry)
    stores.milepost.record(running("two"))

    again, registered = commit(stores, retry, registration("three"))

    assert isinstance(again, Receipt)
    assert again.duplicate
    assert isinstance(registered, Receipt)
    assert holder(stores) == "three"


def test_the_end_of_the_other_job_and_a_retry_in_one_batch_give_the_retry_the_key(
    stores: Deployment,
) -> None:
    queued_and_provisioning(stores, "one")
    stores.milepost.record(failed("one"))
    queued_and_provisioning(stores, "two")

    commit(stores, RecordCallback(running("two")), RecordCallback(provisioning("one")))

    assert holder(stores) == "one"


def test_of_two_registrations_in_one_batch_the_first_is_in_progress(stores: Deployment) -> None:
    first, second = commit(stores, registration("one"), registration("two"))

    assert isinstance(first, Receipt)
    assert isinstance(second, JobInProgress)
    assert holder(stores) == "one"


def test_the_same_registration_twice_in_one_batch_is_one_job(stores: Deployment) -> None:
    first, again = commit(
        stores,
        registration("one", key="payment-1", digest="00ff"),
        registration("two", key="payment-1", digest="00ff"),
    )

    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.job_id, again.position, again.duplicate) == ("one", first.position, True)


def test_a_command_for_a_version_is_refused_after_any_later_event(stores: Deployment) -> None:
    """Also if that event is decided in the same batch: nothing comes between look and append."""
    _, _, stopped, ended = commit(
        stores,
        RecordCallback(provisioning("one")),
        RecordCallback(failed("one")),
        StopJob("one", "ada", version=1),
        OrderJob(order="cancel", job_id="one", version=1),
    )

    assert isinstance(stopped, JobChanged)
    assert isinstance(ended, JobChanged)


def test_one_that_is_refused_harms_no_other_in_its_batch(stores: Deployment) -> None:
    first, refused, missing, last = commit(
        stores,
        RecordCallback(provisioning("one")),
        StopJob("one", "ada"),
        StopJob("nobody", "ada"),
        RecordCallback(failed("one")),
    )

    assert isinstance(refused, NothingToStop)
    assert isinstance(missing, JobNotFound)
    assert isinstance(first, Receipt)
    assert isinstance(last, Receipt)
    assert versions(stores, "one") == [1, 2]


def test_one_that_cannot_be_written_harms_no_other_in_its_batch(stores: Deployment) -> None:
    """Half of a surrogate pair is a str, but has no bytes."""
    first, unwritable, last = commit(
        stores,
        RecordCallback(provisioning("one")),
        RecordCallback(Callback(job_id="two", status="failed", error="\ud800")),
        RecordCallback(failed("one")),
    )

    assert isinstance(unwritable, Exception)
    assert isinstance(first, Receipt)
    assert isinstance(last, Receipt)
    assert versions(stores, "one") == [1, 2]
    assert versions(stores, "two") == []


# Stopping and timing out


def test_a_running_instance_can_be_stopped_once(stores: Deployment) -> None:
    stores.milepost.record(running())

    assert stores.milepost.stop("job", "ada").version == 3
    with pytest.raises(NothingToStop):
        stores.milepost.stop("job", "ada")


def test_a_job_that_nobody_heard_of_cannot_be_stopped(stores: Deployment) -> None:
    with pytest.raises(JobNotFound):
        stores.milepost.stop("nobody")


def test_a_job_that_is_alive_does_not_time_out(stores: Deployment, clock: Clock) -> None:
    stores.milepost.record(provisioning())
    clock.advance(900)

    receipt = stores.milepost.time_out("job")

    assert (receipt.version, receipt.position) == (1, None)


def test_a_silent_job_times_out_once(stores: Deployment, clock: Clock) -> None:
    stores.milepost.record(provisioning())
    clock.advance(901)

    versions_after = [stores.milepost.time_out("job").version for _ in range(2)]

    assert versions_after == [2, 2]
    assert topics(stores, "job") == ["StatusReported", "JobTimedOut"]


def test_a_command_that_changes_nothing_has_no_position(stores: Deployment, clock: Clock) -> None:
    """Neither alone nor behind one in its batch that did change the job."""
    stores.milepost.record(provisioning())
    clock.advance(901)

    first, second = commit(stores, *(TimeOutJob("job", stores.workflows) for _ in range(2)))

    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert first.position is not None
    assert (second.version, second.position) == (2, None)
    assert stores.milepost.time_out("job").position is None


# More than one process


def test_a_second_process_sees_and_continues_what_the_first_wrote(databases: Deployment) -> None:
    databases.milepost.record(provisioning())
    another = databases.again()

    assert another.milepost.record(Callback(job_id="job", type="heartbeat")).version == 2
    assert databases.milepost.record(running()).version == 4
    assert another.milepost.record(Callback(job_id="job", type="heartbeat")).version == 5

    assert versions(databases, "job") == [1, 2, 3, 4, 5]
    assert another.milepost.find("job") == databases.milepost.find("job")
    another.close()


def test_a_second_process_decides_on_what_the_first_wrote(databases: Deployment) -> None:
    another = databases.again()
    first = databases.milepost.record(provisioning(callback_id="cb-1", body="00ff"))
    databases.milepost.queue(registration("one", key="payment-1", digest="00ff"))

    again = another.milepost.record(provisioning(callback_id="cb-1", body="00ff"))
    assert (again.position, again.duplicate) == (first.position, True)
    registered = another.milepost.queue(registration("two", key="payment-1", digest="00ff"))
    assert (registered.job_id, registered.duplicate) == ("one", True)
    with pytest.raises(JobInProgress):
        another.milepost.queue(registration("two"))
    another.close()


def test_two_processes_write_one_job_without_a_gap(databases: Deployment) -> None:
    another = databases.again()
    heartbeat = Callback(job_id="job", type="heartbeat")

    def write(number: int) -> int:
        return (databases if number % 2 else another).milepost.record(heartbeat).version

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(40)))

    assert sorted(written) == list(range(1, 41))
    assert versions(databases, "job") == list(range(1, 41))
    another.close()


# Events that cannot be read


def broken(made: Deployment, job_id: str) -> None:
    """Store an event that nobody can read as the job's next one."""
    version = len(versions(made, job_id)) + 1
    event = StoredEvent(job_id, version, "JobPainted", b"{}")
    made.milepost.store.transact({}, [], lambda _: Append([event]))


def test_an_event_that_cannot_be_read_does_not_stop_its_job(stores: Deployment) -> None:
    """Nor its batch; the event keeps its place."""
    stores.milepost.record(provisioning("one"))
    broken(stores, "one")

    first, second = commit(
        stores, RecordCallback(failed("one")), RecordCallback(provisioning("two"))
    )

    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.version, second.version) == (3, 1)
    assert stores.milepost.find("one").attempt.status == "failed"
    assert versions(stores, "one") == [1, 2, 3]


def test_a_job_that_begins_with_an_event_that_cannot_be_read_goes_on(stores: Deployment) -> None:
    broken(stores, "one")

    assert stores.milepost.find("one").version == 1
    assert stores.milepost.record(provisioning("one")).version == 2
    assert stores.milepost.find("one").attempt.claim == Timestamp(NOON)

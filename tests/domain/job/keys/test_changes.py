"""The keys that follow from the events are the keys that were taken when they were decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.application import Milepost
from domain.errors import JobNotFound, Refused
from domain.job.callback import Callback
from domain.job.commands.callbacks import RecordCallback
from domain.job.commands.contract import Command
from domain.job.commands.operators import OrderJob, StopJob
from domain.job.commands.registration import QueueJob
from domain.job.commands.time import TimeOutJob
from domain.job.keys.key import Key, in_progress_key
from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.log.memory import MemoryRecorder
from domain.log.recalling.recall import Folded
from domain.log.store import Found
from domain.log.stored import Stored
from domain.transfer.derived_keys import DerivedKeys
from domain.transfer.importing import fill
from domain.transfer.jsonl import encode, unsealed
from domain.workflows.files import load
from domain.writing.batch import Batch
from tests.support.stores.deployment import Clock

MEMORY = {"PERSISTENCE_MODULE": "domain.log.memory"}
JOBS = ("job-1", "job/2", "job-3")
USERS = ("ada", "ada", "bob")
maybe_ids = st.none() | st.sampled_from(["id-1", "id-2", "id/3"])
maybe_signed = st.sampled_from([None, True, False, False])

callbacks = st.builds(
    Callback,
    job_id=st.sampled_from(JOBS),
    status=st.sampled_from(["provisioning", "provisioning", "running", "failed", "failed"]),
    step=st.sampled_from([None, None, "vm_created"]),
    callback_id=maybe_ids,
    id_signed=maybe_signed,
    digest=st.sampled_from([None, "d1", "d2"]),
    server_id=st.none() | st.just("srv-1"),
    server_ip=st.none() | st.just("203.0.113.7"),
    tailscale_ip=st.just("100.64.0.7"),
    workflow_run_id=st.sampled_from([None, "run-1", "run-2", "run-3"]),
)
heartbeats = st.builds(
    Callback,
    job_id=st.sampled_from(JOBS),
    type=st.just("heartbeat"),
    callback_id=maybe_ids,
    id_signed=maybe_signed,
)
registrations = st.builds(
    QueueJob,
    job_id=st.sampled_from(JOBS),
    agent_id=st.sampled_from(["agent-1", "agent/2", "agent-3", "agent-4"]),
    workflow=st.just("vm@1"),
    user_id=st.sampled_from([*USERS, None]),
    idempotency_key=maybe_ids,
    digest=st.sampled_from([None, "d1"]),
    owner=st.sampled_from([None, None, None, "ada"]),
)
orders = st.builds(
    OrderJob,
    order=st.sampled_from(["fail", "cancel", "retry", "retry", "stopped"]),
    job_id=st.sampled_from(JOBS),
    user_id=st.sampled_from([*USERS, None]),
)
asked = st.one_of(
    callbacks,
    callbacks,
    heartbeats,
    registrations,
    orders,
    st.sampled_from(JOBS),
    st.integers(60, 1200),
)
"""A job id asks it to stop, a number lets so many seconds pass and the deadlines be judged."""
one_command: st.SearchStrategy[Command] = st.one_of(
    st.builds(RecordCallback, callbacks),
    st.builds(RecordCallback, callbacks),
    st.builds(RecordCallback, heartbeats),
    registrations,
    st.builds(StopJob, st.sampled_from(JOBS), st.none()),
    orders,
    st.builds(TimeOutJob, st.sampled_from(JOBS), st.just(load())),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(asked, min_size=10, max_size=40), st.integers(1, 9), st.integers(0, 9_000))
def test_the_events_of_commands_tell_the_keys_that_they_took(
    commands: Sequence[Callback | QueueJob | OrderJob | str | int],
    batch: int,
    remembered_bytes: int,
) -> None:
    """Whatever was asked, in whatever pieces it is taken in, and whatever is forgotten between."""
    clock = Clock()
    old = Milepost(MEMORY, clock=clock)
    for command in commands:
        clock.now += timedelta(seconds=1)
        ask(old, clock, command)

    new = Milepost(MEMORY, clock=clock)
    stored = old.store.events(0, 10_000)
    lines = [encode(unsealed(event, old.mapper)) for event in stored]
    fill(new.store, new.mapper, lines, None, batch=batch, remembered_bytes=remembered_bytes)

    assert keys(new) == keys(old)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(one_command, min_size=1, max_size=5), min_size=2, max_size=12))
def test_a_batch_takes_the_keys_that_follow_from_its_events(
    batches: Sequence[Sequence[Command]],
) -> None:
    """Each command of a batch alone; which job of a user is in progress may depend on its order."""
    clock, mapper, derived = Clock(), Milepost(MEMORY).mapper, DerivedKeys()
    jobs: dict[str, Folded] = {}
    keys: dict[str, Key] = {}
    for commands in batches:
        clock.advance(600)
        batch = Batch(commands, jobs, mapper)
        known = [Stored(0, job_id, version, "", b"") for job_id, version in batch.known.items()]
        seen = {name: keys[name] for name in batch.names if name in keys}

        append = batch.decide(Found([event for event in known if event.version], seen, clock()))

        after = {job_id: folded.job for job_id, folded in jobs.items()}
        for stored in append.events:
            event = mapper.to_domain_event(stored)
            before = after.get(event.originator_id, ProvisioningJob(event.originator_id))
            after[event.originator_id] = evolve(before, event)
            derived.follow(before, event, after[event.originator_id])
        derived.end_command()
        claims, pointers = derived.take()
        lasting = [key for key in append.claims if not key.name.startswith(in_progress_key(""))]
        assert by_name(claims) == by_name(lasting)
        assert by_name(pointers) == by_name(append.pointers)
        jobs |= batch.jobs
        keys |= by_name(append.claims) | by_name(append.pointers)
        for name, job_id in append.releases:
            if name in keys and keys[name].job_id == job_id:
                del keys[name]


def by_name(keys: Sequence[Key]) -> dict[str, Key]:
    return {key.name: key for key in keys}


def ask(
    milepost: Milepost, clock: Clock, command: Callback | QueueJob | OrderJob | str | int
) -> None:
    """Ask, and take no for an answer."""
    try:
        match command:
            case Callback():
                milepost.record(command)
            case QueueJob():
                milepost.queue(command)
            case OrderJob():
                milepost.order(command.order, command.job_id)
            case str():
                milepost.stop(command)
            case int():
                clock.advance(command)
                for job_id in JOBS:
                    milepost.time_out(job_id)
    except (Refused, JobNotFound):
        pass


def test_a_retry_gets_the_in_progress_key_once_the_other_job_has_ended() -> None:
    """The events alone give the same as the commands decided, after every one of them."""
    old = Milepost(MEMORY)
    holders = []
    for command in (
        QueueJob(job_id="first", agent_id="a", user_id="ada", workflow="vm@1"),
        Callback(job_id="first", status="failed", workflow_run_id="1"),
        QueueJob(job_id="second", agent_id="b", user_id="ada", workflow="vm@1"),
        Callback(job_id="first", status="provisioning", workflow_run_id="2"),
        Callback(job_id="first", status="failed"),
        Callback(job_id="first", status="provisioning", workflow_run_id="3"),
        Callback(job_id="second", status="failed"),
        Callback(job_id="first", type="heartbeat"),
    ):
        ask(old, Clock(), command)
        new = Milepost(MEMORY)
        stored = old.store.events(0, 100)
        fill(new.store, new.mapper, [encode(unsealed(event, old.mapper)) for event in stored], None)
        assert keys(new) == keys(old)
        found = keys(new).values()
        holders.append(next((key.job_id for key in found if "in-progress" in key.name), None))

    assert holders == ["first", None, "second", "second", "second", "second", None, "first"]


def keys(milepost: Milepost) -> dict[str, Key]:
    recorder = milepost.recorder
    assert isinstance(recorder, MemoryRecorder)
    found = {name: recorder.key(name) for name in recorder._keys}
    return {name: key for name, key in found.items() if key}

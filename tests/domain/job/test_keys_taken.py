"""The keys that the events tell are the keys that were taken when they were decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.application import Milepost
from domain.errors import JobNotFound, Refused
from domain.job.callback import Callback
from domain.job.commands import QueueJob
from domain.job.keys import Key
from domain.log.memory import MemoryRecorder
from domain.transfer.importing import fill
from domain.transfer.jsonl import encode, opened
from tests.conftest import Clock

JOBS = ("job-1", "job/2", "job-3")
USERS = ("ada", "ada", "bob")
maybe_ids = st.none() | st.sampled_from(["id-1", "id-2", "id/3"])

callbacks = st.builds(
    Callback,
    job_id=st.sampled_from(JOBS),
    status=st.sampled_from(["provisioning", "provisioning", "running", "failed", "failed"]),
    step=st.sampled_from([None, None, "vm_created"]),
    callback_id=maybe_ids,
    digest=st.sampled_from([None, "d1", "d2"]),
    server_id=st.none() | st.just("srv-1"),
    server_ip=st.none() | st.just("203.0.113.7"),
    tailscale_ip=st.just("100.64.0.7"),
    workflow_run_id=st.sampled_from([None, "run-1", "run-2", "run-3"]),
)
heartbeats = st.builds(
    Callback, job_id=st.sampled_from(JOBS), type=st.just("heartbeat"), callback_id=maybe_ids
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
asked = st.one_of(
    callbacks,
    callbacks,
    heartbeats,
    registrations,
    st.sampled_from(JOBS),
    st.integers(60, 1200),
)
"""A job id asks it to stop, a number lets so many seconds pass and the watchdog look."""


@settings(deadline=None, max_examples=150)
@given(st.lists(asked, min_size=10, max_size=40), st.integers(1, 9), st.integers(1, 4))
def test_the_events_of_commands_tell_the_keys_that_they_took(
    commands: Sequence[Callback | QueueJob | str | int], batch: int, remembered: int
) -> None:
    """Whatever was asked, in whatever pieces it is taken in, and whatever is forgotten between."""
    clock = Clock()
    old = Milepost({"PERSISTENCE_MODULE": "domain.log.memory"}, clock=clock)
    for command in commands:
        clock.now += timedelta(seconds=1)
        ask(old, clock, command)

    new = Milepost({"PERSISTENCE_MODULE": "domain.log.memory"}, clock=clock)
    stored = old.store.events(0, 10_000)
    lines = [encode(opened(event, old.mapper)) for event in stored]
    fill(new.store, new.mapper, lines, None, batch=batch, remembered=remembered)

    assert keys(new) == keys(old)


def ask(milepost: Milepost, clock: Clock, command: Callback | QueueJob | str | int) -> None:
    """Ask, and take no for an answer."""
    try:
        match command:
            case Callback():
                milepost.record(command)
            case QueueJob():
                milepost.queue(command)
            case str():
                milepost.stop(command)
            case int():
                clock.advance(command)
                for job_id in JOBS:
                    milepost.time_out(job_id)
    except (Refused, JobNotFound):
        pass


def test_a_retry_gets_its_turn_when_the_other_job_has_ended_and_not_before() -> None:
    """The same that the commands decide, told from the events alone, after every one of them."""
    old = Milepost({"PERSISTENCE_MODULE": "domain.log.memory"})
    turns = []
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
        new = Milepost({"PERSISTENCE_MODULE": "domain.log.memory"})
        stored = old.store.events(0, 100)
        fill(new.store, new.mapper, [encode(opened(event, old.mapper)) for event in stored], None)
        assert keys(new) == keys(old)
        turns.append(next((k.job_id for k in keys(new).values() if "in-progress" in k.name), None))

    assert turns == ["first", None, "second", "second", "second", "second", None, "first"]


def keys(milepost: Milepost) -> dict[str, Key]:
    recorder = milepost.recorder
    assert isinstance(recorder, MemoryRecorder)
    found = {name: recorder.key(name) for name in recorder._keys}
    return {name: key for name, key in found.items() if key}

"""Facts, callbacks and sequences of them, for Hypothesis to make up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from domain.job.callback import Callback
from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    MetadataReported,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StepReported,
    StopRequested,
)
from tests.support.stores.deployment import NOON

STEPS = (
    "vm_created",
    "network_configured",
    "ansible_started",
    "ansible_complete",
    "server_created",
    "playbook_started",
    "health_check_passed",
    "provision",
)
WORKFLOWS = ("vm@1", "vm-verified@1", "gone@7")


def minute(number: float) -> datetime:
    """Return noon and that many minutes."""
    return NOON + timedelta(minutes=number)


words = st.none() | st.sampled_from(["a", "b", "c"])
run_ids = st.none() | st.sampled_from(["run-1", "run-2", "run-3"])
steps = st.sampled_from(STEPS)
moments = st.integers(0, 12).map(minute)
times = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9))])
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
"""Any text that both databases store: PostgreSQL stores neither NUL nor half a surrogate pair."""
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def callbacks(occurred: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[Callback]:
    """Make up callbacks of every kind, as the workflows of one attempt may send them."""
    return st.one_of(
        heartbeats(occurred), reached(occurred), provisioning(occurred), finals(occurred)
    )


def heartbeats(occurred: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[Callback]:
    """Make up heartbeats."""
    return st.builds(
        Callback,
        job_id=st.just("job"),
        type=st.just("heartbeat"),
        workflow_run_id=run_ids,
        occurred_at=occurred,
    )


def reached(occurred: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[Callback]:
    """Make up steps, known and unknown."""
    return st.builds(
        Callback,
        job_id=st.just("job"),
        status=st.just("provisioning"),
        step=steps,
        workflow_run_id=run_ids,
        server_id=words,
        server_ip=words,
        tailscale_ip=words,
        occurred_at=occurred,
    )


def provisioning(occurred: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[Callback]:
    """Make up first callbacks."""
    return st.builds(
        Callback,
        job_id=st.just("job"),
        status=st.just("provisioning"),
        workflow_run_id=run_ids,
        server_id=words,
        occurred_at=occurred,
    )


def finals(occurred: st.SearchStrategy[datetime | None]) -> st.SearchStrategy[Callback]:
    """Make up last callbacks, with and without a machine."""
    return st.builds(
        Callback,
        job_id=st.just("job"),
        status=st.sampled_from(["running", "failed"]),
        step=st.none() | steps,
        failed_step=st.none() | steps,
        error=words,
        workflow_run_id=run_ids,
        server_id=words,
        server_ip=words,
        tailscale_ip=words,
        occurred_at=occurred,
    )


def facts(
    when: st.SearchStrategy[datetime] = times,
    extra: st.SearchStrategy[dict[str, Any]] | None = None,
) -> st.SearchStrategy[Fact]:
    """Make up any fact of the catalogue, sensible or not."""
    text = st.none() | st.sampled_from(STEPS) | st.text(max_size=8)
    received = {
        "recorded_at": when,
        "callback_id": text,
        "occurred_at": st.none() | when,
        "signed_by": text,
        "digest": text,
        "workflow_run_id": run_ids,
        "extra": st.just({}) if extra is None else extra,
    }
    machine = {"server_id": text, "server_ip": text, "tailscale_ip": text}
    name = st.sampled_from(STEPS) | st.text(max_size=8)
    return st.one_of(
        st.builds(HeartbeatReceived, **received),
        st.builds(MetadataReported, **received, **machine),
        st.builds(StepReported, **received, **machine, step=name),
        st.builds(
            StatusReported,
            **received,
            **machine,
            status=st.sampled_from(["provisioning", "running", "failed"]),
            step=text,
            failed_step=text,
            error=text,
        ),
        st.builds(
            JobQueued,
            recorded_at=when,
            agent_id=name,
            user_id=text,
            region=name,
            workflow=st.sampled_from(WORKFLOWS),
            idempotency_key=text,
            requested_by=text,
            owner=text,
            digest=text,
        ),
        st.builds(
            AttemptStarted,
            recorded_at=when,
            number=st.integers(-1, 5),
            occurred_at=st.none() | when,
            workflow_run_id=run_ids,
        ),
        st.builds(
            JobTimedOut,
            recorded_at=when,
            attempt=st.integers(-1, 5),
            silent_since=when,
            error=name,
        ),
        st.builds(StopRequested, recorded_at=when, requested_by=text),
        st.builds(
            RollbackRequested,
            recorded_at=when,
            attempt=st.integers(-1, 5),
            server_id=text,
            server_ip=text,
        ),
        st.builds(RollbackWithdrawn, recorded_at=when, attempt=st.integers(-1, 5)),
    )


def events(of: st.SearchStrategy[Fact]) -> st.SearchStrategy[list[JobEvent]]:
    """Make up a job's history, its versions counted from 1."""
    return st.lists(of, max_size=25).map(numbered)


def numbered(history: list[Fact]) -> list[JobEvent]:
    """Give facts their places."""
    return [JobEvent("job", place, fact, place * 10) for place, fact in enumerate(history, start=1)]

"""What about a job needs somebody now, and why.

Each watch is a reason that may apply, and the time from which it applies if nothing more is
recorded. A new reason is a kind, at its place in the order, and a watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from domain.workflows.definition import Workflows
from projections.views.durations import span
from projections.views.instance import Instance
from projections.views.timeline import GAP

Kind = Literal["machine_left", "silent", "pending"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""The reasons, the worst first."""

PENDING: Final = timedelta(minutes=10)
"""A job that waits for its workflow longer than this is pending for long."""
HEARTBEAT_SECONDS: Final = 60
"""The seed's workflows send a heartbeat this often."""


class Reason(msgspec.Struct, frozen=True):
    """A reason why a job needs somebody, since when, and in words."""

    kind: Kind
    since: datetime
    text: str


class Candidate(msgspec.Struct, frozen=True):
    """A job that may need somebody: the place of its worst reason, and the earliest time of any."""

    rank: int
    at: datetime


class _Watch(msgspec.Struct, frozen=True):
    kind: Kind
    since: datetime
    applies_at: datetime
    text: Callable[[datetime], str]


def attention(instance: Instance, workflows: Workflows, now: datetime) -> list[Reason]:
    """Return why the job needs somebody now, the worst first; nothing if it does not."""
    applying = [each for each in _watches(instance, workflows) if each.applies_at <= now]
    applying.sort(key=lambda watch: (KINDS.index(watch.kind), watch.since))
    return [Reason(watch.kind, watch.since, watch.text(now)) for watch in applying]


def candidate(instance: Instance, workflows: Workflows) -> Candidate | None:
    """Return from when on `attention` may have something to say; None for never."""
    watches = list(_watches(instance, workflows))
    if not watches:
        return None
    return Candidate(
        min(KINDS.index(watch.kind) for watch in watches),
        min(watch.applies_at for watch in watches),
    )


def _watches(instance: Instance, workflows: Workflows) -> Iterator[_Watch]:
    yield from _machines_left(instance)
    working = instance.runs.working
    if working is None:
        return
    if silent_since := working.silent_since:
        yield _Watch(
            "silent", silent_since, silent_since + GAP, lambda now: _silence(silent_since, now)
        )
    elif working.claim is None and (since := working.asked_at or instance.created_at):
        workflow = workflows.recorded(instance.workflow).ref
        what = "the retry" if working.asked_at else "the registration"
        yield _Watch(
            "pending",
            since,
            since + PENDING,
            lambda now: f"No callback of workflow {workflow} for {_span(since, now)} since {what}.",
        )


def _machines_left(instance: Instance) -> Iterator[_Watch]:
    for attempt in instance.runs.attempts:
        if (since := attempt.rollback_requested_at) and attempt.rollback_is_open:
            machine = attempt.server_id.value if attempt.server_id else "without an id"
            yield _Watch("machine_left", since, since, _left(machine, attempt.number, since))


def _left(machine: str, number: int, since: datetime) -> Callable[[datetime], str]:
    return lambda now: (
        f"Attempt {number} left the machine {machine} behind {_span(since, now)} ago, and nobody "
        "has confirmed that it is gone."
    )


def _silence(since: datetime, now: datetime) -> str:
    return f"No heartbeat for {_span(since, now)}; one is expected every {HEARTBEAT_SECONDS} s."


def _span(since: datetime, now: datetime) -> str:
    return span((now - since).total_seconds() // 1)

"""What about a job needs somebody now, and why.

Each watch is a reason that may apply, and the time from which it applies if nothing more is
recorded. A new reason is a kind, its group, and a watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from shlex import quote
from typing import Final, Literal, get_args

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.deadlines import LATE_SECONDS, LONG_PENDING_SECONDS, due, health, later
from domain.job.orders import Order
from domain.workflows.definition import Workflows
from projections.views.durations import span
from projections.views.instance import Instance

Kind = Literal["machine_left", "refused", "unresponsive", "late", "pending"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""The reasons, the worst first."""
Group = Literal["machine_left", "refused", "silent", "pending"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
"""The kinds in which jobs are counted and found, the worst first: `late` and `unresponsive` are one
group, because a silent job passes from one to the other while nothing is recorded."""


class Reason(msgspec.Struct, frozen=True):
    """A reason why a job needs somebody, since when, and in words that end with what to do."""

    kind: Kind
    since: datetime
    text: str


class Candidate(msgspec.Struct, frozen=True):
    """A job that may need somebody: the place of its worst group, and the earliest time of any."""

    rank: int
    at: datetime


class _Watch(msgspec.Struct, frozen=True):
    group: Group
    applies_at: datetime
    reason: Callable[[datetime], Reason]


def attention(instance: Instance, workflows: Workflows, now: datetime) -> list[Reason]:
    """Return why the job needs somebody now, the worst first; nothing if it does not."""
    watches = _watches(instance, workflows)
    reasons = [watch.reason(now) for watch in watches if watch.applies_at <= now]
    return sorted(reasons, key=_badness)


def needing(
    instances: Iterable[Instance], workflows: Workflows, now: datetime
) -> list[tuple[Instance, list[Reason]]]:
    """Return the jobs that need somebody now with their reasons, the worst job first."""
    found = [(instance, attention(instance, workflows, now)) for instance in instances]
    return sorted(
        ((instance, reasons) for instance, reasons in found if reasons),
        key=lambda each: _badness(each[1][0]),
    )


def _badness(reason: Reason) -> tuple[int, datetime]:
    """Return what reasons are sorted by: the worst kind first, then the longest."""
    return KINDS.index(reason.kind), reason.since


def candidate(instance: Instance, workflows: Workflows) -> Candidate | None:
    """Return from when on `attention` may have something to say; None for never."""
    watches = list(_watches(instance, workflows))
    if not watches:
        return None
    return Candidate(
        min(GROUPS.index(watch.group) for watch in watches),
        min(watch.applies_at for watch in watches),
    )


def _watches(instance: Instance, workflows: Workflows) -> Iterator[_Watch]:
    yield from _machines_left(instance)
    yield from _refused(instance)
    workflow, attempt = workflows.recorded(instance.workflow), instance.watched
    waiting_since = instance.waiting_since

    def alive(kind: Kind | None, since: datetime) -> Callable[[datetime], Reason]:
        advice = _about_pending(instance) if kind else _about_silence(instance)

        def reason(now: datetime) -> Reason:
            found = health(workflow, attempt, waiting_since, now)
            silent: Kind = "unresponsive" if found.state == "unresponsive" else "late"
            return Reason(kind or silent, since, f"{found.sentence or ''} {advice}".lstrip())

        return reason

    if since := attempt.silent_since:
        # One second more: a silence of exactly this length is not late yet.
        late_at = later(since, LATE_SECONDS + 1)
        yield _Watch("silent", late_at, alive(None, since))
    elif attempt.claim is None and waiting_since and attempt.final is None:
        if start := due(workflow, attempt, waiting_since):
            long = later(waiting_since, LONG_PENDING_SECONDS)
            late_at = later(min(long, start.at), 1)
            yield _Watch("pending", late_at, alive("pending", waiting_since))


def _refused(instance: Instance) -> Iterator[_Watch]:
    refusal, final = instance.last_refusal, instance.watched.final
    # After a reported end, or an operator's, nothing that matters can have been lost.
    if refusal and (final is None or final.inferred):
        since, why = refusal.at, refusal.detail or refusal.reason
        advice = f"Mend the workflow and send it again, or: {_command('fail', instance)}"
        text = f"A callback was refused, so its news may be lost: {why.rstrip('.')}. {advice}"
        yield _Watch("refused", since, lambda _: Reason("refused", since, text))


def _machines_left(instance: Instance) -> Iterator[_Watch]:
    for attempt in instance.runs.attempts:
        if (since := attempt.rollback_requested_at) and attempt.rollback_is_open:
            yield _Watch("machine_left", since, _left(instance, attempt, since))


def _left(instance: Instance, attempt: Attempt, since: datetime) -> Callable[[datetime], Reason]:
    machine, number = attempt.machine_id or "without an id", attempt.number
    which = f" --server {quote(attempt.machine_id)}" if attempt.machine_id else ""
    advice = f"Remove it, then: {_command('stopped', instance)}{which}"

    def reason(now: datetime) -> Reason:
        ago = span(int((now - since).total_seconds()))
        return Reason(
            "machine_left",
            since,
            f"Attempt {number} left the machine {machine} behind {ago} ago, and nobody has "
            f"confirmed that it is gone. {advice}",
        )

    return reason


def _about_pending(instance: Instance) -> str:
    cancel = _command("cancel", instance)
    return f"Look whether its workflow was dispatched; if nobody wants it: {cancel}"


def _about_silence(instance: Instance) -> str:
    return f"Look at the workflow's run; if it is dead: {_command('fail', instance)}"


def _command(name: Order, instance: Instance) -> str:
    return f"milepost {name} {quote(instance.job_id)}"

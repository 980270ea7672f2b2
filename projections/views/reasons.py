"""Why a job may need somebody: a watch for each reason, and its words.

A new reason is a kind, its group, and a watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from shlex import quote
from typing import Final, Literal, get_args

import msgspec

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


class Watch(msgspec.Struct, frozen=True):
    """A reason that may apply, and the time from which it applies if nothing more is recorded."""

    group: Group
    applies_at: datetime
    reason: Callable[[datetime], Reason]


def watches(instance: Instance, workflows: Workflows) -> Iterator[Watch]:
    """Yield all that may apply to the job, in no order."""
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
        yield Watch("silent", late_at, alive(None, since))
    elif attempt.claim is None and waiting_since and attempt.final is None:
        if start := due(workflow, attempt, waiting_since):
            long = later(waiting_since, LONG_PENDING_SECONDS)
            late_at = later(min(long, start.at), 1)
            yield Watch("pending", late_at, alive("pending", waiting_since))


def _refused(instance: Instance) -> Iterator[Watch]:
    refusal, final = instance.last_refusal, instance.watched.final
    # After a reported end, or an operator's, nothing that matters can have been lost.
    if refusal and (final is None or final.inferred):
        since, why = refusal.at, refusal.detail or refusal.reason
        advice = f"Mend the workflow and send it again, or: {_command('fail', instance)}"
        text = f"A callback was refused, so its news may be lost: {why.rstrip('.')}. {advice}"
        yield Watch("refused", since, lambda _: Reason("refused", since, text))


def _machines_left(instance: Instance) -> Iterator[Watch]:
    for attempt in instance.runs.attempts:
        for server_id, since in attempt.machines_left:
            yield Watch("machine_left", since, _left(instance, attempt.number, server_id, since))


def _left(
    instance: Instance, number: int, server_id: str | None, since: datetime
) -> Callable[[datetime], Reason]:
    machine = server_id or "without an id"
    which = f" --server {quote(server_id)}" if server_id else ""
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

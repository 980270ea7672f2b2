"""Why a job may need somebody: a watch for each reason, and its words.

A new reason is a kind, its group, and a watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Literal, get_args

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.deadlines import due, later, unresponsive_at
from domain.job.health import LATE_SECONDS, LONG_PENDING_SECONDS, Health, health
from domain.job.runs.doubtful import doubtful
from domain.job.runs.orders import Order
from domain.job.wording import Age, Command, Words, sentence
from domain.shell_words import order_line
from domain.workflows.definition import Workflow
from projections.views.instance import Instance, Refusal

Kind = Literal[
    "machine_left", "machine_shared", "stopping", "refused", "unresponsive", "late", "pending"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""The reasons, the worst first."""
Group = Literal["machine_left", "stopping", "refused", "silent", "pending"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
"""The kinds in which jobs are counted and found, the worst first: `late` and `unresponsive` are one
group, because a silent job passes from one to the other while nothing of it is recorded. So are
`machine_left` and `machine_shared`, because another job decides which of them it is."""
RANKS: Final = {group: rank for rank, group in enumerate(GROUPS)}
"""The `attention_rank` of each group."""

STOPPING_SECONDS: Final = 3600
"""How long a stop may take before somebody has to see why nobody confirms it."""


class Reason(msgspec.Struct, frozen=True):
    """A reason why a job needs somebody, since when, and in words that end with what to do.

    `text` is what the words say at the time for which the reason was asked.
    """

    kind: Kind
    since: datetime
    text: str
    words: Words


class Watch(msgspec.Struct, frozen=True, gc=False):
    """A reason that may apply, and the time from which it applies if nothing more is recorded."""

    group: Group
    applies_at: datetime
    reason: Callable[[datetime], Reason]


def watches(instance: Instance, workflow: Workflow) -> list[Watch]:
    """Return all that may apply to the job, in no order."""
    # The row of every event asks for this, so words are made only once they are wanted.
    found: list[Watch] = []
    for attempt, server_id in doubtful(instance.runs):
        if since := attempt.ended_at:
            in_doubt = partial(_in_doubt, instance, attempt, server_id, since)
            found.append(Watch("machine_left", since, in_doubt))
    for attempt in instance.runs.attempts:
        if attempt.rollback_requested_at or attempt.machines:
            found += _machines_left(instance, attempt)
        if (since := attempt.stop_requested_at) and _may_still_run(attempt):
            stopping = partial(_stopping, instance, attempt.machine_id, since)
            found.append(Watch("stopping", later(since, STOPPING_SECONDS), stopping))
    # A superseded run needs nobody: it is given up by itself, and no order can end it.
    attempt = instance.runs.working or instance.attempt
    # After a reported end, or an operator's, nothing that matters can have been lost.
    if (refusal := instance.last_refusal) and (attempt.final is None or attempt.final.inferred):
        found.append(Watch("refused", refusal.at, partial(_refused, instance, refusal)))
    if since := attempt.silent_since:
        # One second more: a silence of exactly this length is not late yet.
        late_at = later(since, LATE_SECONDS + 1)
        # With a short deadline, a job is unresponsive before it would be late.
        if (silent_at := unresponsive_at(workflow, attempt)) and silent_at < late_at:
            late_at = silent_at
        found.append(Watch("silent", late_at, partial(_silent, instance, workflow, since)))
    elif attempt.claim is None and attempt.final is None and (since := instance.waiting_since):
        if start := due(workflow, attempt, since):
            late_at = later(min(later(since, LONG_PENDING_SECONDS), start.at), 1)
            found.append(Watch("pending", late_at, partial(_pending, instance, workflow, since)))
    return found


def and_more(others: Sequence[Reason], now: datetime) -> Reason:
    """Return one reason in place of several of one kind, the longest first."""
    first, number = others[0], f"{len(others):,}"
    words: Words = (
        f"{number} more like these, the oldest for ",
        Age(first.since),
        ". They are shown once some of these are settled.",
    )
    return _reason(first.kind, first.since, words, now)


def _machines_left(instance: Instance, attempt: Attempt) -> Iterator[Watch]:
    for server_id, since in attempt.machines_left:
        left = partial(_left, instance, attempt.number, server_id, since)
        yield Watch("machine_left", since, left)


def _may_still_run(attempt: Attempt) -> bool:
    # With a rollback, the machine counts as left behind.
    return attempt.status == "running" and not attempt.replaced and not attempt.rollback_is_open


def _left(
    instance: Instance, number: int, server_id: str | None, since: datetime, now: datetime
) -> Reason:
    if server_id and server_id in (instance.used_elsewhere or ()):
        return _shared(instance, number, server_id, since, now)
    machine = server_id or "without an id"
    words: Words = (
        f"Attempt {number} left the machine {machine} behind ",
        Age(since),
        " ago, and nobody has confirmed that it is gone. ",
        "Milepost cannot tell now whether another job uses it: if none does, remove it, then: "
        if server_id and instance.used_elsewhere is None
        else "Remove it, then: ",
        _confirm(instance, server_id),
    )
    return _reason("machine_left", since, words, now)


def _in_doubt(
    instance: Instance, attempt: Attempt, server_id: str, since: datetime, now: datetime
) -> Reason:
    if server_id in (instance.used_elsewhere or ()):
        return _shared(instance, attempt.number, server_id, since, now)
    ended = {"timed_out": "was given up", "running": "ended well", "stopped": "was stopped"}
    words: Words = (
        f"Attempt {attempt.number} {ended.get(attempt.outcome or '', 'failed')} ",
        Age(since),
        f" ago, and its machine {server_id} may run all the same. "
        "If nobody uses it, remove it, then: ",
        _confirm(instance, server_id),
    )
    return _reason("machine_left", since, words, now)


def _shared(
    instance: Instance, number: int, server_id: str, since: datetime, now: datetime
) -> Reason:
    words: Words = (
        f"Attempt {number} left the machine {server_id} behind ",
        Age(since),
        f" ago, and {_uses_it(instance, server_id)}",
        _confirm(instance, server_id),
    )
    return _reason("machine_shared", since, words, now)


def _uses_it(instance: Instance, server_id: str) -> str:
    job_id = (instance.used_elsewhere or {}).get(server_id)
    return (
        f"{f'the job {job_id}' if job_id else 'a job of another user'} uses it now: do not remove "
        "it. Once no job uses it, remove it, then: "
    )


def _stopping(instance: Instance, server_id: str | None, since: datetime, now: datetime) -> Reason:
    machine = server_id or "without an id"
    words: Words = (
        f"A stop of the machine {machine} was requested ",
        Age(since),
        f" ago, and {_uses_it(instance, server_id)}"
        if server_id and server_id in (instance.used_elsewhere or ())
        else " ago, and nobody has confirmed that it is gone. Remove it if it is still there, "
        "then: ",
        _confirm(instance, server_id),
    )
    return _reason("stopping", since, words, now)


def _refused(instance: Instance, refusal: Refusal, now: datetime) -> Reason:
    why = (refusal.detail or refusal.reason).rstrip(".")
    end = "" if why.endswith("?") else "."
    words: Words = (
        f"A callback was refused, so its news may be lost: {why}{end} "
        "Mend the workflow and send it again, or: ",
        _command("fail", instance),
    )
    return _reason("refused", refusal.at, words, now)


def _silent(instance: Instance, workflow: Workflow, since: datetime, now: datetime) -> Reason:
    alive = _health(instance, workflow, now)
    kind: Kind = "unresponsive" if alive.state == "unresponsive" else "late"
    advice = "Look at the workflow's run; if it is dead: "
    return _unwell(kind, since, alive, advice, _command("fail", instance))


def _pending(instance: Instance, workflow: Workflow, since: datetime, now: datetime) -> Reason:
    alive = _health(instance, workflow, now)
    advice = "Look whether its workflow was dispatched; if nobody wants it: "
    return _unwell("pending", since, alive, advice, _command("cancel", instance))


def _health(instance: Instance, workflow: Workflow, now: datetime) -> Health:
    return health(workflow, instance.watched, instance.waiting_since, now)


def _unwell(kind: Kind, since: datetime, alive: Health, advice: str, command: Command) -> Reason:
    text = f"{alive.sentence or ''} {advice}{command.line}".lstrip()
    return Reason(kind, since, text, (*alive.words, f" {advice}", command))


def _reason(kind: Kind, since: datetime, words: Words, now: datetime) -> Reason:
    return Reason(kind, since, sentence(words, now), words)


def _confirm(instance: Instance, server_id: str | None) -> Command:
    return Command(order_line("stopped", instance.job_id, server_id))


def _command(name: Order, instance: Instance) -> Command:
    return Command(order_line(name, instance.job_id))

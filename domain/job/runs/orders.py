"""What people may order about a job: which attempt an order means, and what is possible now.

An order that asks for what is so already changes nothing: who repeats it gets the same answer. An
order that the job's state forbids is refused with a sentence that says what is possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from domain.errors import NotPossible
from domain.job.attempt.state import Attempt
from domain.job.runs.doubtful import doubtful
from domain.job.runs.state import Runs

Ordered: TypeAlias = Literal["fail", "cancel", "retry", "stopped"]
Order: TypeAlias = Ordered | Literal["stop"]


class Requested(NamedTuple):
    """Who gave an order, with which token, why and when: each of its facts records all of this."""

    recorded_at: datetime
    requested_by: str | None = None
    reason: str | None = None
    token_id: str | None = None


def to_end(runs: Runs, wanted: Literal["failed", "cancelled"], max_retries: int) -> Attempt | None:
    """Return the attempt that `fail` or `cancel` ends; None if it has ended so already.

    A timeout is only our inference, so an order may still end that attempt. Raises `NotPossible`.
    """
    attempt = runs.working or runs.present
    if _can_end(attempt):
        return attempt
    if any(each.outcome == wanted for each in _ended(runs)):
        return None
    raise refused(f"{_standing(runs)}.", runs, max_retries)


def may_retry(runs: Runs, max_retries: int) -> bool:
    """Tell whether `retry` opens an attempt; False if one waits already. Raises `NotPossible`."""
    working = runs.working
    if working and working.wanted and working.claim is None:
        return False
    if working or runs.present.status == "running":
        raise refused(f"{_standing(runs)}.", runs, max_retries)
    if runs.retries >= max_retries:
        had = _counted(runs.retries, "retry", "retries")
        allowed = f"The job has had {had}, and its workflow allows {max_retries}."
        raise refused(allowed, runs, max_retries)
    return True


def to_confirm(
    runs: Runs, server_id: str | None, max_retries: int
) -> Sequence[tuple[Attempt, str | None]]:
    """Return the machines that are gone, with their attempts; none if that is confirmed already.

    Without `server_id`, the job must have only one machine that may be meant. Raises `NotPossible`.
    """
    if server_id:
        ended = (each for each in runs.attempts if each.final or runs.is_superseded(each))
        having = [each for each in ended if each.is_machine(server_id) or each.other(server_id)]
        if not having:
            unknown = f"No ended attempt of the job has the machine {server_id!r}."
            raise refused(unknown, runs, max_retries)
        return [(each, server_id) for each in having if not _is_gone(each, server_id)]
    meant = list(machines_left(runs))
    if len({machine for _, machine in meant}) > 1:
        raise ambiguous(runs, meant, max_retries)
    if not meant and not any(_has_lost_one(each) for each in runs.attempts):
        none = f"{_standing(runs)}, and no machine of it is left."
        raise refused(none, runs, max_retries)
    return meant


def machines_left(runs: Runs) -> Sequence[tuple[Attempt, str | None]]:
    """Return the machines that run, or have to be removed and may still be there.

    Each is with the ended attempt that reported it; None is a machine without an id.
    """
    left = list[tuple[Attempt, str | None]]()
    for each in runs.attempts:
        if each.status == "running" and not each.replaced and not each.rollback_is_open:
            left.append((each, each.machine_id))
        left += [(each, machine) for machine, _ in each.machines_left]
    return [*left, *doubtful(runs)]


def possible(runs: Runs, max_retries: int) -> tuple[Order, ...]:
    """Return the orders that would change the job now."""
    present, orders = runs.present, list[Order]()
    if _can_end(runs.working or present):
        orders += ["fail", "cancel"]
    if present.status == "running":
        orders += [] if present.stop_requested_at else ["stop"]
    elif runs.working is None and runs.retries < max_retries:
        orders.append("retry")
    if machines_left(runs):
        orders.append("stopped")
    return tuple(orders)


def refused(why: str, runs: Runs, max_retries: int) -> NotPossible:
    """Return the refusal with this reason and what is possible instead."""
    orders = possible(runs, max_retries)
    instead = f"Possible now: {', '.join(orders)}." if orders else "Register another job instead."
    return NotPossible(f"{why} {instead}", possible=orders)


def ambiguous(
    runs: Runs, machines: Sequence[tuple[Attempt, str | None]], max_retries: int
) -> NotPossible:
    """Return the refusal of a `stopped` that names no machine, and may mean each of these."""
    # The attempts are described as they are, not as the order would make them.
    meant = ((runs.find(each.number) or each, machine) for each, machine in machines)
    names = ", ".join(dict.fromkeys(_described(*each) for each in meant))
    return NotPossible(
        f"More than one machine may be meant: {names}. Name the one that is gone.",
        possible=possible(runs, max_retries),
    )


def _ended(runs: Runs) -> Sequence[Attempt]:
    """Return the attempt that is shown, and those that an order ended after it."""
    later = runs.newer_than(runs.present.number)
    return [runs.present, *(each for each in later if each.final and each.final.ordered)]


def _can_end(attempt: Attempt) -> bool:
    return attempt.final is None or attempt.final.inferred


def _standing(runs: Runs) -> str:
    attempt = runs.working or runs.present
    if attempt.final is None:
        since = attempt.claim.recorded_at if attempt.claim else attempt.since
        state = "provisioning" if attempt.claim else "pending"
        return f"The job is in progress ({state}{_since(since)})"
    ended = attempt.final.moment.recorded_at
    words = {
        "running": f"stopping{_since(attempt.stop_requested_at)}"
        if attempt.stop_requested_at
        else f"running{_since(ended)}",
        "stopped": f"stopped{_since(attempt.stopped_at)}",
        "timed_out": f"timed out at {_time(ended)}",
    }
    how = words.get(attempt.outcome or "") or f"{attempt.outcome} at {_time(ended)}"
    return f"The job has ended already ({how})"


def _is_gone(attempt: Attempt, server_id: str) -> bool:
    if other := attempt.other(server_id):
        return other.settled
    return attempt.stopped_at is not None or attempt.has_lost(server_id)


def _has_lost_one(attempt: Attempt) -> bool:
    return attempt.stopped_at is not None or any(each.settled for each in attempt.machines)


def _described(attempt: Attempt, machine: str | None) -> str:
    name = repr(machine) if machine else "a machine without an id"
    return f"{name} (attempt {attempt.number}, {attempt.status})"


def _since(time: datetime | None) -> str:
    return f" since {_time(time)}" if time else ""


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"

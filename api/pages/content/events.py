"""The history of a job: its events, each with what it said, who caused it, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from api.pages.content.callback_line import callback_line, callback_url
from api.representations.event import entry_body
from api.senders.job_keys import KIND as BY_JOB_KEY
from api.wiring import Services
from domain.job.events import (
    AttemptStarted,
    CallbackRefused,
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    Machine,
    MetadataReported,
    Received,
    StatusReported,
    StepReported,
)
from domain.unseen import is_utf_8
from projections.reading.actor import actor_of
from projections.reading.entries import Entry, Wanted
from projections.views.instance import Instance

PAGE_EVENTS: Final = 50
"""How many events a page lists."""
FEWER: Final = (PAGE_EVENTS, 8, 1)
"""How many events are tried, one number after the other, until as many fit into a page's bytes."""
MANY_QUIET: Final = 3
"""From this number on, heartbeats that follow one another are one line."""
CUT_VALUE: Final = 200
"""A value in the list is cut to this many characters."""
LONGEST_VALUE: Final = 100_000
"""A value of the one event that is shown is cut to this many characters."""
LONGEST_LINE: Final = 100_000
"""A shell takes arguments of up to 128 KiB."""
SHOWN_FIRST: Final = ("status", "step", "error", "failed_step", "reason", "detail")
MACHINE: Final = ("server_id", "server_ip", "tailscale_ip")
LISTED_LINE: Final = 4_000
"""A command in the list has at most this many characters; the one event has longer ones."""
NOT_LISTED: Final = {
    "status",
    "step",
    "number",
    "because",
    "attempt",
    "requested_by",
    "run_attempt",
    "workflow_run_id",
    "workflow_digest",
}
"""What the list leaves out: the words of the event say it, or the attempt or the actor does."""
LISTED_CHANGES: Final = {"status", "outcome", "current_step", "failed_at_step", "attempt"}
"""The changes that the list shows; the one event that is shown has all."""
BECAUSE: Final = {
    "run": "another run began",
    "rerun": "its run began again",
    "evidence": "its machine runs after all",
    "failure": "a failure was another attempt's",
    "retry": "an operator's retry",
}


class Shown(msgspec.Struct, frozen=True):
    """An event as a page shows it.

    `said` has names and values, `changed` a field with its value before and after. `line` is the
    command that sends the callback again; None for an event that was none. `quiet` is True for an
    event that a reader may pass over.
    """

    version: int
    position: int
    kind: str
    words: str
    recorded_at: str | None
    occurred_at: str | None
    by: str
    attempt: int
    said: Sequence[tuple[str, str]]
    changed: Sequence[tuple[str, str, str]]
    error: str | None = None
    line: str | None = None
    is_quiet: bool = False


class Listed(msgspec.Struct, frozen=True):
    """Some events of a job, the newest first: those from the version `first` to `until`.

    A group has several events if they are heartbeats that follow one another.
    """

    groups: Sequence[Sequence[Shown]]
    first: int
    until: int
    newest: int


def listed(job: Instance, until: int, services: Services) -> Listed:
    """Return the events of a job up to that version, at most `PAGE_EVENTS`."""
    until = max(1, min(until, job.version))
    for most in FEWER:
        after = max(0, until - most)
        found = services.history.of_job(job.job_id, after, until - after, Wanted())
        if not found.more or found.following >= until:
            break
    pairs = zip((None, *found.entries), found.entries, strict=False)
    events = [shown_event(entry, before, services) for before, entry in pairs]
    return Listed(_grouped(events[::-1]), after + 1, until, job.version)


def _grouped(events: Sequence[Shown]) -> list[list[Shown]]:
    groups = list[list[Shown]]()
    for quiet, some in groupby(events, key=lambda event: event.is_quiet):
        each = list(some)
        groups += [each] if quiet and len(each) >= MANY_QUIET else [[one] for one in each]
    return groups


def one_event(job_id: str, version: int, services: Services) -> Shown | None:
    """Return one event of a job with its values whole; None if the job has no such event."""
    for after in (max(0, version - 2), version - 1):
        found = services.history.of_job(job_id, after, version - after, Wanted()).entries
        # The event before it may be so large that it fills a page.
        if found and found[-1].stored.version == version:
            before = found[0] if len(found) > 1 else None
            return shown_event(found[-1], before, services, most=LONGEST_VALUE)
    return None


def shown_event(
    entry: Entry, before: Entry | None, services: Services, most: int = CUT_VALUE
) -> Shown:
    """Return an event for a page; longer values are cut to `most` characters.

    `before` is the event before it, which may be of the same callback.
    """
    body, actor = entry_body(entry, services.workflows), actor_of(entry)
    said, kind = body["payload"], body["kind"]
    names = [name for name in SHOWN_FIRST if name in said] + sorted(said.keys() - SHOWN_FIRST)
    changes, is_listed = body["changed"], most <= CUT_VALUE
    if is_listed:
        names = [name for name in names if name not in NOT_LISTED]
        # The first event changes every field of a job, and its payload says them already.
        is_first = entry.stored.version == 1
        changes = [each for each in changes if each["field"] in LISTED_CHANGES and not is_first]
    line = _line(entry, before, services)
    return Shown(
        version=body["version"],
        position=body["position"],
        kind=kind.partition(":")[0],
        words=_words(entry.fact, entry.error),
        recorded_at=body["recorded_at"],
        occurred_at=body["occurred_at"],
        by=str(actor) if actor else "",
        attempt=body["attempt"],
        said=[(name, _value(said[name], most)) for name in names],
        changed=[
            (change["field"], _value(change["before"], most), _value(change["after"], most))
            for change in changes
        ],
        error=entry.error,
        line=line if line and len(line) <= (LISTED_LINE if is_listed else LONGEST_LINE) else None,
        is_quiet=isinstance(entry.fact, HeartbeatReceived) and not changes and not entry.error,
    )


def _words(fact: Fact | None, error: str | None) -> str:
    """Return what happened in a few words, for a reader who does not know the events' names."""
    match fact:
        case None:
            return "Unreadable event"
        case _ if error:
            return "Passed over"
        case HeartbeatReceived(claims=True):
            return "First heartbeat"
        case StepReported(step=step):
            return f"Step {step}"
        case StatusReported(status=status):
            return f"Status {status}"
        case AttemptStarted(number=number, because=because):
            why = BECAUSE.get(because or "")
            return f"Attempt {number} began" + (f": {why}" if why else "")
        case JobTimedOut():
            return "Timed out"
        case _:
            return PLAIN[type(fact).__name__]


PLAIN: Final = {
    "HeartbeatReceived": "Heartbeat",
    "MetadataReported": "Machine reported",
    "JobQueued": "Registered",
    "TimeoutWithdrawn": "Timeout withdrawn",
    "AttemptFailed": "Failed by an operator",
    "AttemptCancelled": "Cancelled by an operator",
    "MachineStopped": "Machine confirmed as gone",
    "CallbackRefused": "Callback refused",
    "StopRequested": "Stop asked for",
    "RollbackRequested": "Rollback asked for",
    "RollbackWithdrawn": "Rollback withdrawn",
}


def _value(value: Any, most: int) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"


def _line(entry: Entry, before: Entry | None, services: Services) -> str | None:
    fact, job_id = entry.fact, str(entry.stored.job_id)
    if isinstance(fact, CallbackRefused):
        body = None if fact.is_base64 else fact.body
    elif isinstance(fact, Received) and not isinstance(fact, MetadataReported):
        body = None if fact.raw else _body(job_id, fact, before.fact if before else None)
    else:
        body = None
    if body is None or not is_utf_8(body):
        return None
    # A job's own key counts only at the job's own URL.
    by_job_key = BY_JOB_KEY in (getattr(fact, "signed_by", None) or "")
    return callback_line(callback_url(services, job_id if by_job_key else None), body)


def _body(job_id: str, fact: Received, before: Fact | None) -> str:
    """Return a body that says what the callback said; its id is left out, so that it counts."""
    fields: dict[str, Any] = {"job_id": job_id}
    machine: Fact | None = fact
    match fact:
        case HeartbeatReceived():
            fields["type"] = "heartbeat"
        case StepReported():
            fields |= {"status": "provisioning", "step": fact.step}
        case StatusReported():
            names = ("status", "step", "failed_step", "error")
            fields |= {name: getattr(fact, name) for name in names}
            # One callback that says `running` and names the machine is two events.
            if isinstance(before, MetadataReported) and before.digest == fact.digest:
                machine = before
    if isinstance(machine, Machine):
        fields |= {name: getattr(machine, name) for name in MACHINE}
    fields |= {"workflow_run_id": fact.workflow_run_id, "run_attempt": fact.run_attempt}
    if fact.occurred_at:
        fields["occurred_at"] = fact.occurred_at.isoformat()
    # A bent field is sent as it came.
    given: Mapping[str, Any] = {**fields, **fact.extra, **fact.bent}
    kept = {name: value for name, value in given.items() if value is not None}
    return msgspec.json.encode(kept).decode()

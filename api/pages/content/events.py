"""The history of a job: its events, each with what it said, who caused it, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import msgspec

from api.pages.content.callback_line import callback_line, callback_url
from api.representations.event import entry_body
from api.senders.job_keys import KIND as BY_JOB_KEY
from api.wiring import Services
from domain.job.attempt.clocks import is_apart
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
from projections.reading.entries import Entry
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
    recorded_at: datetime | None
    occurred_at: datetime | None
    by: str
    attempt: int
    said: Sequence[tuple[str, str]] = ()
    changed: Sequence[tuple[str, str, str]] = ()
    error: str | None = None
    line: str | None = None
    is_quiet: bool = False

    @property
    def is_dated_otherwise(self) -> bool:
        """True if the sender's time is so far from ours that a reader of the list wants it."""
        return is_apart(self.occurred_at, self.recorded_at)


class Listed(msgspec.Struct, frozen=True):
    """Some events of a job, the newest first: those from the version `first` to `until`.

    A group has several events if they are heartbeats that follow one another.
    """

    groups: Sequence[Sequence[Shown]]
    first: int
    until: int
    newest: int


def listed(job: Instance, until: int, services: Services) -> Listed:
    """Return the events of a job up to that version, at most `PAGE_EVENTS`.

    The job is not folded for that: a long one may have 1,000 events since its last snapshot.
    """
    until = max(1, min(until, job.version))
    for most in FEWER:
        after = max(0, until - most)
        found = services.history.alone(job.job_id, after, until - after)
        if found and found[-1].stored.version == until:
            break
    pairs = zip((None, *found), found, strict=False)
    events = [_listed(entry, before, services) for before, entry in pairs]
    return Listed(_grouped(events[::-1]), after + 1, until, job.version)


def _listed(entry: Entry, before: Entry | None, services: Services) -> Shown:
    names = [name for name in _ordered(entry.said) if name not in NOT_LISTED]
    line = _line(entry, before.fact if before else None, services)
    return msgspec.structs.replace(
        _plain(entry),
        said=[(name, _value(entry.said[name], CUT_VALUE)) for name in names],
        line=line if line and len(line) <= LISTED_LINE else None,
    )


def one_event(entry: Entry, services: Services) -> Shown:
    """Return one event of a job with its values whole, and with all that it changed."""
    version, job_id = entry.stored.version, str(entry.stored.job_id)
    before = services.history.alone(job_id, version - 2, 1) if version > 1 else ()
    line = _line(entry, before[0].fact if before else None, services)
    return msgspec.structs.replace(
        _plain(entry),
        said=[(name, _value(entry.said[name], LONGEST_VALUE)) for name in _ordered(entry.said)],
        changed=[
            (each["field"], _value(each["before"], CUT_VALUE), _value(each["after"], CUT_VALUE))
            for each in entry_body(entry, services.workflows)["changed"]
        ],
        line=line if line and len(line) <= LONGEST_LINE else None,
    )


def _plain(entry: Entry) -> Shown:
    fact, actor = entry.fact, actor_of(entry)
    return Shown(
        version=entry.stored.version,
        position=entry.stored.position,
        kind=entry.stored.topic.partition(":")[0],
        words=_words(fact, entry.error),
        recorded_at=fact.recorded_at if fact else None,
        occurred_at=getattr(fact, "occurred_at", None),
        by=str(actor) if actor else "",
        attempt=entry.attempt,
        error=entry.error,
        is_quiet=isinstance(fact, HeartbeatReceived) and not fact.claims and not entry.error,
    )


def _ordered(said: Mapping[str, Any]) -> list[str]:
    return [name for name in SHOWN_FIRST if name in said] + sorted(said.keys() - SHOWN_FIRST)


def _grouped(events: Sequence[Shown]) -> list[list[Shown]]:
    groups = list[list[Shown]]()
    for quiet, some in groupby(events, key=lambda event: event.is_quiet):
        each = list(some)
        groups += [each] if quiet and len(each) >= MANY_QUIET else [[one] for one in each]
    return groups


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
    if isinstance(value, datetime):
        value = value.isoformat()
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"


def _line(entry: Entry, before: Fact | None, services: Services) -> str | None:
    fact, job_id = entry.fact, str(entry.stored.job_id)
    if isinstance(fact, CallbackRefused):
        body = None if fact.is_base64 else fact.body
    elif isinstance(fact, Received) and not isinstance(fact, MetadataReported):
        body = None if fact.raw else _body(job_id, fact, before)
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
    present = {name: value for name, value in given.items() if value is not None}
    return msgspec.json.encode(present).decode()

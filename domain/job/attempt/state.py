"""The state of one attempt, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from domain.job.attempt.clocks import Timestamp, whole_seconds
from domain.job.attempt.final import Final, Outcome
from domain.job.events import HeartbeatReceived

Status = Literal["queued", "provisioning", "running", "stopped", "failed"]


class ReportedValue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The latest value that a callback gave for a field.

    `runs` means that the callback said `running`. Only another `running` can replace such a value.
    """

    value: str
    occurred_at: datetime | None = None
    runs: bool = False


class OtherMachine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One of several machines that an attempt reported.

    `left_at` is when its removal was asked for. It is `settled` once it is `gone`, or another run
    answers for it. It `runs` if `running` named it, and has `failed` if only a failure did. It is
    `unclaimed` if only words without a run named it after the end: it may be the next run's.
    """

    server_id: str
    left_at: datetime | None = None
    settled: bool = False
    gone: bool = False
    runs: bool = False
    failed: bool = False
    unclaimed: bool = False

    @property
    def is_asked_back(self) -> bool:
        """True while its removal is asked for."""
        return self.left_at is not None and not self.settled


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The state of one attempt. `number` counts from 1, in the order of opening.

    `since` is when Milepost opened it, `opened_at` the sender's time of the word that did. It has
    `begun` if a run that works opened it, `reruns` an earlier one under the same name or none, and
    is `wanted` if an operator asked for it. Its run is
    older than that of the attempt `before`, if that is given.
    `replaced` and `earlier_run_ids` come from events of the first release, in which a new attempt
    ended the story of all earlier ones. `evidence_at` and `failure_at` are the latest senders'
    times of words that work goes on and of failures. `claims_machine` means that a word which names
    the run named the machine. `steps_left_out` means that the job's state had no room for the steps
    that the attempt had until then; its events have them. `rolled_back` is the machine that
    an open rollback names. `passed_on` means that the machine of the failed attempt said that it
    runs, or that another run works on it. `settled` is the machine that is gone or was passed on,
    whatever a later word names. `machines` has all machines that the attempt reported, if there
    are several. `skew_seconds` is the largest difference of the senders'
    clocks to ours, above `SKEW_SECONDS`.
    """

    number: int = 1
    since: datetime | None = None
    opened_at: datetime | None = None
    before: int | None = None
    begun: bool = False
    reruns: bool = False
    wanted: bool = False
    replaced: bool = False
    earlier_run_ids: tuple[str, ...] = ()
    run_id: ReportedValue | None = None
    run_attempt: int | None = None
    claim: Timestamp | None = None
    announced: bool = False
    heard_at: datetime | None = None
    evidence_at: datetime | None = None
    failure_at: datetime | None = None
    steps: dict[str, Timestamp] = {}
    steps_left_out: bool = False
    final: Final | None = None
    revived: bool = False
    server_id: ReportedValue | None = None
    server_ip: ReportedValue | None = None
    tailscale_ip: ReportedValue | None = None
    claims_machine: bool = False
    stop_requested_at: datetime | None = None
    stopped_at: datetime | None = None
    rollback_requested_at: datetime | None = None
    rolled_back: str | None = None
    passed_on: bool = False
    settled: str | None = None
    machines: tuple[OtherMachine, ...] = ()
    skew_seconds: int | None = None

    @property
    def status(self) -> Status:
        """`queued` until the workflow reports, then `provisioning` until the final status."""
        if self.final:
            if self.final.status == "running" and self.stopped_at:
                return "stopped"
            return self.final.status
        return "provisioning" if self.claim else "queued"

    @property
    def outcome(self) -> Outcome | None:
        """How the attempt ended, more exactly than its status; None while it is in progress."""
        if self.final is None:
            return None
        if self.final.status == "running":
            return "stopped" if self.stopped_at else "running"
        if self.final.cancelled:
            return "cancelled"
        return "timed_out" if self.final.inferred else "failed"

    @property
    def rollback_is_open(self) -> bool:
        """True from the request to remove the machine until somebody confirms that it is gone."""
        return self.rollback_requested_at is not None and self.stopped_at is None

    @property
    def has_begun(self) -> bool:
        """True once its workflow has said that it works, or an operator has asked for it."""
        return bool(self.begun or self.claim or (self.final and self.final.status == "running"))

    @property
    def silent_since(self) -> datetime | None:
        """When the workflow last reported, by our clock; None unless it is provisioning."""
        if self.final or self.claim is None:
            return None
        return self.heard_at or self.claim.recorded_at

    @property
    def ended_at(self) -> datetime | None:
        """When the attempt ended or its machine was gone, by our clock; None while in progress."""
        return self.stopped_at or (self.final.moment.recorded_at if self.final else None)

    @property
    def machine_id(self) -> str | None:
        """The attempt's machine: the one that a rollback names or is settled, else the latest."""
        latest = self.server_id.value if self.server_id else None
        return self.rolled_back or self.settled or latest

    @property
    def others(self) -> Sequence[OtherMachine]:
        """The machines that the attempt reported beside its own one, and all that are left."""
        return [
            each
            for each in self.machines
            if each.server_id != self.machine_id or each.is_asked_back
        ]

    @property
    def machines_left(self) -> Sequence[tuple[str | None, datetime]]:
        """The machines that have to be removed, and since when; None for one without an id."""
        left = [(each.server_id, each.left_at) for each in self.others if not each.settled]
        asked = [(server_id, since) for server_id, since in left if since]
        if self.rollback_requested_at and self.rollback_is_open:
            return [(self.machine_id, self.rollback_requested_at), *asked]
        return asked

    def other(self, server_id: str | None) -> OtherMachine | None:
        """Return the machine with this id if the attempt reported it beside its own one."""
        # Not by `others`: a rollback asks each of 50 attempts about each of 20 machines.
        for each in self.machines:
            if each.server_id == server_id:
                is_left = each.left_at and not each.settled
                return each if is_left or server_id != self.machine_id else None
        return None

    def is_machine(self, server_id: str | None) -> bool:
        """Tell whether the attempt's machine has this id."""
        return bool(server_id and self.machine_id == server_id)

    def has_machine(self, server_id: str | None) -> bool:
        """Tell whether the attempt reported the machine, and may still have it."""
        other = self.other(server_id)
        return self.is_machine(server_id) or bool(other and not other.settled)

    def has_lost(self, server_id: str | None) -> bool:
        """Tell whether somebody confirmed that this machine is gone, before it was the latest."""
        return any(each.gone and each.server_id == server_id for each in self.machines)

    def wants(self, server_id: str | None) -> bool:
        """Tell whether the attempt works or runs on the machine."""
        if self.final and self.status != "running":
            return False
        other = self.other(server_id)
        if other is None or self.is_machine(server_id):
            return self.is_machine(server_id)
        return not (other.settled or other.failed or other.unclaimed)

    def is_claimed_by(self, fact: HeartbeatReceived) -> bool:
        """Tell whether this heartbeat is the attempt's first sign of life.

        The senders' clocks tell, if they are known. So the order of arrival does not matter then.
        """
        moment = Timestamp(fact.recorded_at, fact.occurred_at)
        if self.final and not moment.surely_by(self.final.moment):
            return False
        return self.claim is None or moment.surely_before(self.claim)


def cut_off(attempt: Attempt, before: datetime) -> Attempt:
    """Return the attempt as one that opened at that time: with nothing dated before it.

    A machine that its run claims stays, whatever a clock says of it. So do the steps of a run that
    also gives its `run_attempt`: without it, an earlier try may have reached them.
    """

    def is_cut(time: datetime | None) -> bool:
        return time is not None and whole_seconds(time) < whole_seconds(before)

    changed: dict[str, Any] = {"opened_at": before}
    if not (attempt.claims_machine and attempt.run_attempt):
        steps: dict[str, Timestamp] = {}
        for name, seen in attempt.steps.items():
            if not is_cut(seen.occurred_at):
                steps[name] = seen
            elif seen.again_at and not is_cut(seen.again_at):
                steps[name] = Timestamp(seen.again_recorded_at or seen.recorded_at, seen.again_at)
        changed["steps"] = steps
    if not attempt.claims_machine:
        for field in ("server_id", "server_ip", "tailscale_ip"):
            word: ReportedValue | None = getattr(attempt, field)
            if word and is_cut(word.occurred_at):
                changed[field] = None
    return msgspec.structs.replace(attempt, **changed)

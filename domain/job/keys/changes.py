"""Which keys change with the events of one command.

The commands, import and verify all ask `key_changes` or its part `lasting_keys`. The rules need
nothing but the events, so keys need not travel with an export.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.job.events import (
    AttemptStarted,
    JobEvent,
    JobQueued,
    MachineStopped,
    MetadataReported,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    TimeoutWithdrawn,
)
from domain.job.keys.key import (
    Key,
    agent_key,
    callback_key,
    in_progress_key,
    registration_key,
    unsigned_callback_key,
)
from domain.job.provisioning_job import ProvisioningJob


class KeyChanges(msgspec.Struct, frozen=True, gc=False):
    """The keys that one command claims, moves and releases.

    `claims` are names that the command takes for ever. `pointers` are names that move to it from
    wherever they pointed. `in_progress` is the user's key for the one job in progress; the job gets
    it if no other job of the user has it. `released` is the name of that key once the job has
    ended; the key is dropped if this job has it.
    """

    claims: Sequence[Key] = ()
    pointers: Sequence[Key] = ()
    in_progress: Key | None = None
    released: str | None = None


NO_CHANGES = KeyChanges()


def key_changes(
    before: ProvisioningJob, events: Sequence[JobEvent], after: ProvisioningJob
) -> KeyChanges:
    """Return what the events of one command, which led from `before` to `after`, do to the keys.

    Every key points at the last of the events, because a receipt names that version.
    """
    if not events:
        return NO_CHANGES
    claims, pointers = lasting_keys(events)
    queued = after.queued
    if queued is None or queued.user_id is None:
        return KeyChanges(claims, pointers)
    was_in_progress = before.queued is not None and before.in_progress
    if not after.in_progress:
        released = in_progress_key(queued.user_id) if was_in_progress else None
        return KeyChanges(claims, pointers, None, released)
    if was_in_progress and after.runs.opened == 1 and not after.attempt.revived:
        return KeyChanges(claims, pointers)
    # A job that had ended asks again with every callback: the user's other job may have ended
    # meanwhile.
    return KeyChanges(claims, pointers, _key(in_progress_key(queued.user_id), events[-1]))


def lasting_keys(events: Sequence[JobEvent]) -> tuple[Sequence[Key], Sequence[Key]]:
    """Return the claims and the pointers of one command's events; see `KeyChanges`."""
    claims: dict[str, Key] = {}
    pointers: dict[str, Key] = {}
    last = events[-1]
    for event in events:
        fact = event.fact
        if isinstance(fact, Received):
            if fact.callback_id:
                name = _name_of(event.originator_id, fact.callback_id, fact)
                claims[name] = _key(name, last, fact.digest)
        elif isinstance(fact, JobQueued):
            if fact.idempotency_key:
                name = registration_key(fact.owner, fact.idempotency_key)
                claims[name] = _key(name, last, fact.digest)
            name = agent_key(fact.agent_id)
            pointers[name] = _key(name, last, fact.user_id)
    return tuple(claims.values()), tuple(pointers.values())


def same_command(earlier: JobEvent, event: JobEvent) -> bool:
    """Tell whether one command decided both events, of which the second is the next in the log."""
    place = event.originator_id, event.originator_version - 1
    if (earlier.originator_id, earlier.originator_version) != place:
        return False
    match earlier.fact, event.fact:
        case AttemptStarted(because="retry"), _:
            return False
        case ((AttemptStarted() | TimeoutWithdrawn()), _):
            # The callback that opens an attempt, or takes a timeout back, comes next.
            return True
        case MetadataReported(callback_id=first), StatusReported(callback_id=second):
            return first == second
        case (_, (RollbackRequested() | RollbackWithdrawn())):
            # A rollback never comes alone: the fact that asks for it comes before.
            return True
        case ((StatusReported() | MachineStopped()), MachineStopped(requested_by=None)):
            # A callback says that the machine is gone, and so it is for older attempts.
            return earlier.fact.recorded_at == event.fact.recorded_at
        case _:
            return False


def _name_of(job_id: str, callback_id: str, fact: Received) -> str:
    # An older release did not say whether it signed an id. Its events keep their names.
    if fact.id_signed is False:
        return unsigned_callback_key(job_id, callback_id, fact.digest)
    return callback_key(job_id, callback_id)


def _key(name: str, event: JobEvent, digest: str | None = None) -> Key:
    position = event.position or None
    return Key(name, event.originator_id, event.originator_version, digest or "", position)

"""Keys from events: what the log says about the names that are taken.

The commands decide which names they take (`commands.py`); the events say all that
those decisions were made of, so that the keys need not travel with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.events import (
    AttemptStarted,
    JobEvent,
    JobQueued,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
)
from domain.job.keys import Key, agent_key, callback_key, in_progress_key, registration_key
from domain.job.provisioning_job import ProvisioningJob


class NamesTaken:
    """Follows events and tells the names that each took for good: of callbacks and registrations.

    The events of a job have to come in order; those of others may come between them.
    """

    def __init__(self) -> None:
        self._claims: list[Key] = []
        self._pointers: dict[str, Key] = {}
        # Of the command whose events have come so far.
        self._callback: Key | None = None

    def taken(self) -> tuple[Sequence[Key], Sequence[Key]]:
        """Return the claims and pointers since the last time; see `Append`."""
        claims, pointers = self._claims, list(self._pointers.values())
        self._claims, self._pointers = [], {}
        return claims, pointers

    def settled(self) -> Sequence[Key]:
        """Return the same, in one, but for the callback whose next event may have its name."""
        last, self._callback = self._callback, None
        claims, pointers = self.taken()
        if last:
            self._callback = self._pointers[last.name] = last
        return [*claims, *(key for key in pointers if key is not last)]

    def follow(self, event: JobEvent) -> None:
        """Take an event."""
        fact = event.fact
        earlier, self._callback = self._callback, None
        match fact:
            case Received():
                if fact.callback_id:
                    name = callback_key(event.originator_id, fact.callback_id)
                    self._callback = _key(name, event, fact.digest)
            case JobQueued():
                self._register(fact, event)
            case RollbackRequested() | RollbackWithdrawn():
                # It belongs to the callback that it was decided with; a receipt tells the last
                # event of all.
                before = event.originator_id, event.originator_version - 1
                if earlier and (earlier.job_id, earlier.version) == before:
                    self._callback = _key(earlier.name, event, earlier.digest)
        if self._callback:
            self._pointers[self._callback.name] = self._callback

    def pass_over(self) -> None:
        """Take note of an event that cannot be read."""
        self._callback = None

    def _register(self, fact: JobQueued, event: JobEvent) -> None:
        if fact.idempotency_key:
            name = registration_key(fact.owner, fact.idempotency_key)
            self._claims.append(_key(name, event, fact.digest))
        name = agent_key(fact.agent_id)
        self._pointers[name] = _key(name, event, fact.user_id)


def _key(name: str, event: JobEvent, digest: str | None) -> Key:
    job_id, version, position = event.originator_id, event.originator_version, event.position
    return Key(name, job_id, version, digest or "", position or None)


class DerivedKeys:
    """Follows a log, event by event in order of position, one command after the other.

    Commands that were decided together could find a user's key free a moment earlier or later;
    which retry has it may therefore differ from where the events were decided, until its next
    callback.
    """

    def __init__(self) -> None:
        self._names = NamesTaken()
        self._in_progress: dict[str, Key] = {}
        self._before: ProvisioningJob | None = None

    def taken(self) -> tuple[Sequence[Key], Sequence[Key]]:
        """Return the claims and pointers since the last time; see `Append`."""
        return self._names.taken()

    def in_progress(self) -> Sequence[Key]:
        """Return which job of each user is in progress, as the log stands."""
        return list(self._in_progress.values())

    def follow(self, before: ProvisioningJob, event: JobEvent, job: ProvisioningJob) -> None:
        """Take an event, and its job as it was before and is after it."""
        self._names.follow(event)
        self._take_turns(before, job, opens=isinstance(event.fact, AttemptStarted))

    def pass_over(self) -> None:
        """Take note of an event that cannot be read."""
        self._names.pass_over()
        self._before = None

    def _take_turns(self, before: ProvisioningJob, job: ProvisioningJob, *, opens: bool) -> None:
        if opens:
            # The status that opened the attempt comes next, and is of the same command.
            self._before = before
            return
        if self._before and self._before.id == job.id:
            before = self._before
        self._before = None
        if job.queued is None or job.queued.user_id is None:
            return
        name = in_progress_key(job.queued.user_id)
        if job.asks_for_its_turn(before):
            self._in_progress.setdefault(name, Key(name, job.id, job.version))
        elif job.ends_its_turn(before) and (held := self._in_progress.get(name)):
            if held.job_id == job.id:
                del self._in_progress[name]

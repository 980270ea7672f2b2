"""Keys from events: what the log says about the names that are taken.

The commands decide which names they take (`domain/commands.py`, `domain/batch.py`); the events say
all that those decisions were made of, so that the keys need not travel with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.events import (
    AttemptStarted,
    JobEvent,
    JobQueued,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
)
from domain.keys import Key, agent_key, callback_key, in_progress_key, registration_key
from domain.provisioning_job import ProvisioningJob


class DerivedKeys:
    """Follows a log, event by event in order of position, one command after the other.

    Commands that were decided together could find a user's key free a moment earlier or later;
    which retry has it may therefore differ from where the events were decided, until its next
    callback.
    """

    def __init__(self) -> None:
        self._claims: list[Key] = []
        self._pointers: dict[str, Key] = {}
        self._in_progress: dict[str, Key] = {}
        # Of the command whose events have come so far.
        self._callback: Key | None = None
        self._before: ProvisioningJob | None = None

    def taken(self) -> tuple[Sequence[Key], Sequence[Key]]:
        """Return the claims and pointers since the last time; see `Append`."""
        claims, pointers = self._claims, list(self._pointers.values())
        self._claims, self._pointers = [], {}
        return claims, pointers

    def in_progress(self) -> Sequence[Key]:
        """Return which job of each user is in progress, as the log stands."""
        return list(self._in_progress.values())

    def follow(self, before: ProvisioningJob, event: JobEvent, job: ProvisioningJob) -> None:
        """Take an event, and its job as it was before and is after it."""
        fact, version = event.fact, event.originator_version
        earlier, self._callback = self._callback, None
        match fact:
            case JobQueued():
                self._register(fact, event)
            case Received(callback_id=str(callback_id)):
                name = callback_key(job.id, callback_id)
                self._callback = Key(name, job.id, version, fact.digest or "")
            case RollbackRequested() | RollbackWithdrawn():
                # It belongs to the callback that it was decided with; a receipt tells the last
                # event of all.
                if earlier and (earlier.job_id, earlier.version) == (job.id, version - 1):
                    self._callback = Key(earlier.name, job.id, version, earlier.digest)
        if self._callback:
            self._pointers[self._callback.name] = self._callback
        self._take_turns(before, job, opens=isinstance(fact, AttemptStarted))

    def pass_over(self) -> None:
        """Take note of an event that cannot be read."""
        self._callback = self._before = None

    def _register(self, fact: JobQueued, event: JobEvent) -> None:
        job_id, version = event.originator_id, event.originator_version
        if fact.idempotency_key:
            name = registration_key(fact.owner, fact.idempotency_key)
            self._claims.append(Key(name, job_id, version, fact.digest or ""))
        name = agent_key(fact.agent_id)
        self._pointers[name] = Key(name, job_id, version, fact.user_id or "")

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

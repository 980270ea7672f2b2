"""The keys against the events: each key points at an event that took its name."""

from __future__ import annotations

from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import (
    JobEvent,
    JobQueued,
    MachineStopped,
    RollbackRequested,
    RollbackWithdrawn,
)
from domain.job.keys.changes import lasting_keys, same_command
from domain.job.keys.key import in_progress_key
from domain.log.mapper import JobEventMapper
from domain.log.stored import Stored
from projections.comparing.job_history import events
from projections.tree.contract import TreeStore
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, StoredKey
from projections.verification.inspection.log_pages import PAGE

IN_PROGRESS = in_progress_key("")
"""The names of users' jobs in progress begin with this."""


class Keys:
    """Checks the keys of events up to `upto`, in order of their names.

    An event that cannot be read may have taken any name, so a key that points at it is right.
    """

    def __init__(
        self,
        tree: TreeStore,
        inspection: Inspection,
        mapper: JobEventMapper,
        upto: int,
        report: Report,
        after: str = "",
    ) -> None:
        self._tree = tree
        self._inspection = inspection
        self._mapper = mapper
        self._upto = upto
        self._report = report
        self.after = after
        """All keys up to this name are checked."""

    def check(self) -> None:
        """Check every key after that name."""
        while keys := self._inspection.keys_with_events(self.after, PAGE):
            for key in keys:
                stored = key.event
                if stored is None:
                    expected = f"the event that took the name {shortened(key.name)!r}"
                    self._report(Finding.at(key, "key", expected=expected, found="none"))
                elif stored.position <= self._upto:
                    self._check(key, stored)
            self.after = keys[-1].name

    def _check(self, key: StoredKey, stored: Stored) -> None:
        is_in_progress = key.name.startswith(IN_PROGRESS)
        fault = self._fault_of_job_in_progress(key) if is_in_progress else self._fault(key, stored)
        if fault:
            what = "a job of the user whose it is" if is_in_progress else "the event that took it"
            expected = f"the name {shortened(key.name)!r} to point at {what}"
            self._report(Finding.at(key, "key", expected=expected, found=fault))

    def _fault(self, key: StoredKey, stored: Stored) -> str | None:
        event = self._read(stored)
        if event is None:
            return None
        command = [event]
        # What was decided with a callback comes after it, and takes its key.
        while isinstance(command[0].fact, RollbackRequested | RollbackWithdrawn | MachineStopped):
            before = self._tree.log.event(key.job_id, command[0].originator_version - 1)
            callback = self._read(before) if before else None
            if callback is None:
                return None
            if not same_command(callback, command[0]):
                break
            command.insert(0, callback)
        claims, pointers = lasting_keys(command)
        digests = {taken.name: taken.digest for taken in (*claims, *pointers)}
        if key.name not in digests:
            return f"{stored.topic}, which did not take it"
        if key.digest != (digest := digests[key.name]):
            return f"the digest {shortened(key.digest)!r} in the place of {shortened(digest)!r}"
        return None

    def _fault_of_job_in_progress(self, key: StoredKey) -> str | None:
        if key.digest:
            return f"the digest {shortened(key.digest)!r}, where there is none"
        # Most jobs begin with their registration.
        for stored in events(self._inspection, key.job_id, first=1):
            event = self._read(stored)
            if event is None:
                return None
            if isinstance(event.fact, JobQueued):
                user_id = event.fact.user_id
                if user_id and in_progress_key(user_id) == key.name:
                    return None
                return f"a job of the user {shortened(user_id)}"
        return "a job that was not registered"

    def _read(self, stored: Stored) -> JobEvent | None:
        try:
            return self._mapper.read(stored)
        except MapperDeserialisationError:
            return None

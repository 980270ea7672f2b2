"""The keys, one after the other: each points at an event that took its name."""

from __future__ import annotations

from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import JobEvent, JobQueued, RollbackRequested, RollbackWithdrawn
from domain.job.keys import in_progress_key
from domain.job.keys_taken import NamesTaken
from domain.log.mapper import JobEventMapper
from domain.log.stored import Stored
from projections.tree.contract import TreeStore
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, KeptKey
from projections.verification.inspection.job_history import events
from projections.verification.inspection.log_pages import PAGE

TURNS = in_progress_key("")
"""What the names of users' jobs in progress begin with."""


class Keys:
    """Checks the keys in order of their names; those of events after `upto` are left out.

    An event that cannot be read may have taken any name.
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
        """The name up to which all are checked."""

    def check(self) -> None:
        """Check every key from there on."""
        while keys := self._inspection.keys_with_events(self.after, PAGE):
            for key in keys:
                stored = key.event
                if stored is None:
                    expected = f"the event that took the name {shortened(key.name)!r}"
                    self._report(Finding.at(key, "key", expected=expected, found="none"))
                elif stored.position <= self._upto:
                    self._check(key, stored)
            self.after = keys[-1].name

    def _check(self, key: KeptKey, stored: Stored) -> None:
        is_turn = key.name.startswith(TURNS)
        fault = self._fault_of_turn(key) if is_turn else self._fault(key, stored)
        if fault:
            what = "a job of the user whose it is" if is_turn else "the event that took it"
            expected = f"the name {shortened(key.name)!r} to point at {what}"
            self._report(Finding.at(key, "key", expected=expected, found=fault))

    def _fault(self, key: KeptKey, stored: Stored) -> str | None:
        names = NamesTaken()
        event = self._read(stored)
        if event and isinstance(event.fact, RollbackRequested | RollbackWithdrawn):
            # The callback that it was decided with comes just before it.
            before = self._tree.log.event(key.job_id, key.version - 1)
            callback = self._read(before) if before else None
            if callback is None:
                return None
            names.follow(callback)
        if event is None:
            return None
        names.follow(event)
        claims, pointers = names.taken()
        digests = {
            taken.name: taken.digest
            for taken in (*claims, *pointers)
            if taken.version == key.version
        }
        if key.name not in digests:
            return f"{stored.topic}, which did not take it"
        if key.digest != (digest := digests[key.name]):
            return f"the digest {shortened(key.digest)!r} in the place of {shortened(digest)!r}"
        return None

    def _fault_of_turn(self, key: KeptKey) -> str | None:
        if key.digest:
            return f"the digest {shortened(key.digest)!r}, where there is none"
        # Most jobs begin with what is looked for.
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

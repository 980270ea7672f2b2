"""Derive the keys of a whole log from its events."""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.events import JobEvent
from domain.job.keys.changes import key_changes, same_command
from domain.job.keys.key import Key
from domain.job.provisioning_job import ProvisioningJob


class DerivedKeys:
    """Follow a log, event by event in order of position, and collect the keys of its commands.

    Commands that were decided in one transaction saw a user's in-progress key as it was just before
    or just after another of them. Which of two retries has that key may therefore differ from the
    store that the events come from, until the next callback of either.
    """

    def __init__(self) -> None:
        self._command: list[JobEvent] = []
        """The events of the newest command; the next event may belong to it."""
        self._before = self._after = ProvisioningJob("")
        self._claims: list[Key] = []
        self._pointers: dict[str, Key] = {}
        self._in_progress: dict[str, Key] = {}

    def follow(self, before: ProvisioningJob, event: JobEvent, after: ProvisioningJob) -> None:
        """Add the next event, with its job before and after it."""
        if not self._command or not same_command(self._command[-1], event):
            self.end_command()
            self._before = before
        self._command.append(event)
        self._after = after

    def end_command(self) -> None:
        """Settle what the newest command did: its last event was added, or cannot be read."""
        changes = key_changes(self._before, self._command, self._after)
        self._command = []
        self._claims += changes.claims
        self._pointers |= {key.name: key for key in changes.pointers}
        if key := changes.in_progress:
            self._in_progress.setdefault(key.name, key)
        if name := changes.released:
            holder = self._in_progress.get(name)
            if holder and holder.job_id == self._after.id:
                del self._in_progress[name]

    def take(self) -> tuple[Sequence[Key], Sequence[Key]]:
        """Return the claims and pointers of the commands settled since the last call."""
        claims, pointers = self._claims, list(self._pointers.values())
        self._claims, self._pointers = [], {}
        return claims, pointers

    @property
    def in_progress(self) -> Sequence[Key]:
        """The in-progress key of every user who has a job in progress."""
        return list(self._in_progress.values())

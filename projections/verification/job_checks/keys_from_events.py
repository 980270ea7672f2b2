"""The names that a job's events took against the keys: each exists and points at its event.

One transaction writes an event and its keys, so a key exists as soon as its event does.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.events import JobEvent
from domain.job.keys.changes import lasting_keys, same_command
from domain.job.keys.key import Key, agent_key, in_progress_key
from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import Decoded
from projections.comparing.job_history import History
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, StoredKey
from projections.verification.inspection.log_pages import PAGE

AGENTS = agent_key("")
"""The names of agents' newest jobs begin with this."""


class Names:
    """Looks up the names that events up to `upto` took, some thousand names at a time."""

    def __init__(self, inspection: Inspection, upto: int, report: Report) -> None:
        self._inspection = inspection
        self._upto = upto
        self._report = report
        self._command: list[JobEvent] = []
        self._keys_taken: list[Key] = []

    def follow(self, read: Decoded) -> None:
        """Collect the names that a job's next events took."""
        for stored, event in read:
            if stored.position > self._upto:
                continue
            if not isinstance(event, JobEvent):
                self._end_command()
                continue
            if self._command and not same_command(self._command[-1], event):
                self._end_command()
            self._command.append(event)
        if len(self._keys_taken) >= PAGE:
            self._look_up([])

    def end(self, histories: Sequence[History]) -> None:
        """Check the names of these jobs, whose last events were followed."""
        self._end_command()
        self._look_up(histories)

    def _end_command(self) -> None:
        if self._command:
            claims, pointers = lasting_keys(self._command)
            self._keys_taken += claims
            self._keys_taken += pointers
            self._command = []

    def _look_up(self, histories: Sequence[History]) -> None:
        claimed, self._keys_taken = self._keys_taken, []
        in_progress = {
            history.job_id: in_progress_key(user_id)
            for history in histories
            if (user_id := history.instance.user_id)
        }
        found: dict[str, StoredKey] = {}
        names = list({*(key.name for key in claimed), *in_progress.values()})
        for start in range(0, len(names), PAGE):
            found |= self._inspection.keys(names[start : start + PAGE])
        for key in claimed:
            self._check(key, found.get(key.name))
        for history in histories:
            if history.job_id in in_progress:
                self._check_job_in_progress(history, found.get(in_progress[history.job_id]))

    def _check(self, claimed: Key, there: StoredKey | None) -> None:
        if there and there.name.startswith(AGENTS):
            # An agent's name points at its newest registration. `Keys` checks that it is one.
            if (there.position or 0) > (claimed.position or 0):
                return
        if there is None:
            found = "none"
        elif (there.job_id, there.version) != (claimed.job_id, claimed.version):
            found = f"it points at version {there.version} of job {there.job_id!r}"
        elif there.digest != claimed.digest:
            found = f"the digest {shortened(there.digest)!r}"
        else:
            return
        name, digest = shortened(claimed.name), shortened(claimed.digest)
        expected = f"the name {name!r}, which was taken here, with the digest {digest!r}"
        self._report(Finding.at(claimed, "key", expected=expected, found=found))

    def _check_job_in_progress(self, history: History, there: StoredKey | None) -> None:
        """Report a job that ended and still counts as its user's job in progress."""
        if there is None or there.job_id != history.job_id or history.passed_over:
            return
        if there.version > history.version:
            return  # a later event took it just now, as a retry does
        job = ProvisioningJob(history.job_id, runs=history.instance.runs)
        if not job.in_progress:
            name = shortened(there.name)
            expected = f"the name {name!r} to point at a job in progress, or at none"
            found = f"one that is {job.attempt.status}"
            self._report(Finding.at(there, "key", expected=expected, found=found))

"""The names that a job's events took, against the keys: each is there and points where it must.

A key is written in the transaction of its event, so it is there as soon as that is.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.events import JobEvent
from domain.job.keys import Key, agent_key, in_progress_key
from domain.job.keys_taken import NamesTaken
from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import Decoded
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection, KeptKey
from projections.verification.inspection.job_history import History
from projections.verification.inspection.log_pages import PAGE

AGENTS = agent_key("")
"""What the names of agents' newest jobs begin with."""


class Names:
    """Looks up what the events up to `upto` took, some thousand names at a time."""

    def __init__(self, inspection: Inspection, upto: int, report: Report) -> None:
        self._inspection = inspection
        self._upto = upto
        self._report = report
        self._names = NamesTaken()
        self._taken: list[Key] = []

    def follow(self, read: Decoded) -> None:
        """Take a job's next events."""
        for stored, event in read:
            if stored.position > self._upto:
                continue
            if isinstance(event, JobEvent):
                self._names.follow(event)
            else:
                self._names.pass_over()
        self._taken += self._names.settled()
        if len(self._taken) >= PAGE:
            self._look_up([])

    def end(self, histories: Sequence[History]) -> None:
        """Check what these jobs took, all of whose events were followed."""
        self._names.pass_over()
        self._taken += self._names.settled()
        self._look_up(histories)

    def _look_up(self, histories: Sequence[History]) -> None:
        taken, self._taken = self._taken, []
        turns = {
            history.job_id: in_progress_key(user_id)
            for history in histories
            if (user_id := history.instance.user_id)
        }
        found: dict[str, KeptKey] = {}
        names = list({*(key.name for key in taken), *turns.values()})
        for start in range(0, len(names), PAGE):
            found |= self._inspection.keys(names[start : start + PAGE])
        for key in taken:
            self._check(key, found.get(key.name))
        for history in histories:
            if history.job_id in turns:
                self._check_turn(history, found.get(turns[history.job_id]))

    def _check(self, taken: Key, there: KeptKey | None) -> None:
        if there and there.name.startswith(AGENTS):
            # An agent's points at its newest registration; that it is one, `Keys` finds out.
            if (there.position or 0) > (taken.position or 0):
                return
        if there is None:
            found = "none"
        elif (there.job_id, there.version) != (taken.job_id, taken.version):
            found = f"it points at version {there.version} of job {there.job_id!r}"
        elif there.digest != taken.digest:
            found = f"the digest {shortened(there.digest)!r}"
        else:
            return
        name, digest = shortened(taken.name), shortened(taken.digest)
        expected = f"the name {name!r}, which was taken here, with the digest {digest!r}"
        self._report(Finding.at(taken, "key", expected=expected, found=found))

    def _check_turn(self, history: History, there: KeptKey | None) -> None:
        """Report a job that has its user's turn although it has ended."""
        if there is None or there.job_id != history.job_id or history.passed_over:
            return
        if there.version > history.version:
            return  # it was taken just now, as by a retry
        job = ProvisioningJob(history.job_id, attempt=history.instance.attempt)
        if not job.in_progress:
            name = shortened(there.name)
            expected = f"the name {name!r} to point at a job in progress, or at none"
            found = f"one that is {job.attempt.status}"
            self._report(Finding.at(there, "key", expected=expected, found=found))

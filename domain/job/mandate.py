"""A mandate: the jobs that a sender may report on."""

from __future__ import annotations

import msgspec

from domain.job.events import JobQueued


class Mandate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Lets a sender report on registered jobs: on one, on those of some workflows, of some users.

    `workflows` are names of definitions, without their versions. A field of None
    does not limit the sender.
    """

    job_id: str | None = None
    workflows: frozenset[str] | None = None
    users: frozenset[str] | None = None

    def covers(self, job_id: str, queued: JobQueued | None) -> bool:
        """Tell whether the sender may report on a job that was registered like that, or not."""
        if queued is None or self.job_id not in (None, job_id):
            return False
        workflow, _, _ = queued.workflow.partition("@")
        return (self.workflows is None or workflow in self.workflows) and (
            self.users is None or queued.user_id in self.users
        )

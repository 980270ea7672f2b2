"""The errors of the domain. The docstring of an error is its message, if it is raised without one.

MilepostError
├── Refused                     the request is valid, but the job's state forbids it
│   ├── NotItsJob
│   ├── CallbackConflict
│   ├── RegistrationConflict
│   ├── JobAlreadyRegistered
│   ├── JobInProgress
│   ├── AgentTaken
│   ├── NothingToStop
│   ├── JobChanged
│   └── NotPossible
├── NotFound
│   ├── JobNotFound
│   └── WorkflowNotFound
├── InvalidDefinition           a workflow file that cannot be used
└── Unavailable                 try again: nothing was stored, or Milepost cannot know whether
    ├── StoreUnavailable
    └── QueueFull
"""

from __future__ import annotations

from collections.abc import Sequence


class MilepostError(Exception):
    """Something Milepost can explain went wrong."""


class Refused(MilepostError):
    """The job's state does not allow this."""


class NotItsJob(Refused):
    """The key that signed this callback is not for this job, or the job is not registered."""


class CallbackConflict(Refused):
    """This callback id was already used for this job with another body."""


class RegistrationConflict(Refused):
    """This idempotency key was already used for another registration."""


class JobAlreadyRegistered(Refused):
    """A job with this id is already registered."""


class JobInProgress(Refused):
    """A provisioning job is already in progress. Please wait for it to complete."""

    @classmethod
    def of(cls, job_id: str) -> JobInProgress:
        """Name the job that is in progress."""
        return cls(f"{cls.__doc__} It is job {job_id!r}.")


class AgentTaken(Refused):
    """This agent belongs to another user."""


class NothingToStop(Refused):
    """No running instance found for this agent."""


class JobChanged(Refused):
    """The job has changed since you read it."""


class NotPossible(Refused):
    """The job's state does not allow this command.

    `possible` names the commands that would change the job now.
    """

    def __init__(self, *message: str, possible: Sequence[str] = ()) -> None:
        super().__init__(*message)
        self.possible = tuple(possible)


class NotFound(MilepostError):
    """There is nothing by that name."""


class JobNotFound(NotFound):
    """There is no job with this id."""


class WorkflowNotFound(NotFound):
    """There is no workflow definition by this name and version."""


class InvalidDefinition(MilepostError):
    """A workflow definition cannot be used; the message names file, line and reason."""


class Unavailable(MilepostError):
    """Milepost cannot take this just now; try again."""


class StoreUnavailable(Unavailable):
    """The database does not answer; nothing is lost that was acknowledged. Try again."""


class QueueFull(Unavailable):
    """More requests are waiting than the queue may hold. Try again."""

"""The contract of a command: it decides from the job and from the keys that exist.

A command decides inside the transaction that appends its events, so no other process can change
what it sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from domain.job.keys.key import Key
from domain.job.provisioning_job import Outcome, ProvisioningJob


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a command: an outcome to store, or the earlier key that answers already."""

    outcome: Outcome
    earlier: Key | None = None
    warning: str | None = None


class Command(Protocol):
    """A request about one job. `names` are the names of the keys that it has to see."""

    @property
    def job_id(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        """Decide, or raise a `Refused`."""
        ...

"""What other jobs do with the machines that a job names for removal.

A job's own events do not say it, so its fold cannot know it. A read finds it out: the read model
has a table of machines, and the events after its position are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Final

import msgspec

from domain.job.events import (
    JobEvent,
    MetadataReported,
    RollbackWithdrawn,
    StatusReported,
    StepReported,
    TimeoutWithdrawn,
    topic_of,
)
from domain.job.runs.machines import machines_in_use, machines_to_remove
from domain.log.bounded import is_full
from domain.log.mapper import JobEventMapper, decoded
from domain.log.stored import Stored
from projections.read_model.contract import ReadModel
from projections.read_model.machines import MachineUse, digest_of
from projections.views.instance import Instance

MOST_BEHIND: Final = 1_000
"""If more events are not projected yet, nobody knows what other jobs do."""
MOST_LOOKED_AT: Final = 50
"""How many jobs of these events are folded at most."""
TOPICS: Final = frozenset(
    topic_of(fact)
    for fact in (
        MetadataReported,
        StepReported,
        StatusReported,
        TimeoutWithdrawn,
        RollbackWithdrawn,
    )
)
"""The events after which a job may use a machine that it did not use before."""


class Uses:
    """Finds out which machines other jobs use. `instance` reads a job that is never stale."""

    def __init__(
        self,
        read_model: ReadModel,
        mapper: JobEventMapper,
        instance: Callable[[str], Instance | None],
        *,
        most_behind: int = MOST_BEHIND,
        most_looked_at: int = MOST_LOOKED_AT,
    ) -> None:
        self._read_model = read_model
        self._mapper = mapper
        self._instance = instance
        self._most_behind = most_behind
        self._most_looked_at = most_looked_at

    def added_to(self, instances: Sequence[Instance]) -> Sequence[Instance]:
        """Return the instances, with `used_elsewhere` where a job names machines for removal.

        Two statements look up the machines of all of them; without any, none does. Raises what
        `instance` and the read model raise.
        """
        asked = [machines_to_remove(instance.runs) for instance in instances]
        machines = frozenset(chain(*asked))
        uses = self._of(machines) if machines else None
        if uses is None:
            return instances
        by_machine: dict[str, list[MachineUse]] = {}
        for use in uses:
            by_machine.setdefault(use.machine, []).append(use)
        return [
            _with_uses(instance, its_own, by_machine) if its_own else instance
            for instance, its_own in zip(instances, asked, strict=True)
        ]

    def _of(self, machines: AbstractSet[str]) -> list[MachineUse] | None:
        """Return the uses of these machines; None if nobody knows them."""
        projected = self._read_model.uses_of({digest_of(machine) for machine in machines})
        if projected is None:  # rows of another release are served
            return None
        limit = self._most_behind
        # The limit counts heartbeats, too: a million of them may wait for a projector.
        tail = self._read_model.log.events(projected.position, limit + 1)
        if is_full(tail, limit + 1):
            return None
        looked_at = self._may_use(machines, [each for each in tail if each.topic in TOPICS])
        if len(looked_at) > self._most_looked_at:
            return None
        return [*projected.uses, *self._present_uses(machines, looked_at)]

    def _may_use(self, machines: AbstractSet[str], tail: Sequence[Stored]) -> list[str]:
        """Return the jobs that may use one of the machines since one of these events."""
        found: dict[str, None] = {}
        for stored, event in decoded(tail, self._mapper):
            match event:
                case JobEvent(fact=MetadataReported() | StepReported() as fact):
                    if fact.server_id not in machines:
                        continue
            # Any other one may let the job go on with a machine that it named before.
            found[stored.job_id] = None
        return list(found)

    def _present_uses(
        self, machines: AbstractSet[str], job_ids: Sequence[str]
    ) -> Iterator[MachineUse]:
        for instance in filter(None, map(self._instance, job_ids)):
            for machine in sorted(machines & machines_in_use(instance.runs)):
                yield MachineUse(digest_of(machine), instance.job_id, instance.user_id)


def _with_uses(
    instance: Instance, machines: AbstractSet[str], by_machine: dict[str, list[MachineUse]]
) -> Instance:
    used: dict[str, str | None] = {}
    for machine in sorted(machines):
        for use in by_machine.get(digest_of(machine), ()):
            if use.job_id != instance.job_id and machine not in used:
                # A token that is bound to a user learns nothing of another one's jobs.
                used[machine] = use.job_id if use.user_id == instance.user_id else None
    return msgspec.structs.replace(instance, used_elsewhere=used)

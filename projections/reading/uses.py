"""What other jobs do with the machines that a job names for removal.

A job's own events do not say it, so its fold cannot know it. A read looks it up, as of the read
model's position.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

import msgspec

from domain.job.runs.machines import machines_to_remove
from projections.read_model.contract import ReadModel
from projections.read_model.machines import MachineUse, digest_of
from projections.views.instance import Instance


def with_uses(instances: Sequence[Instance], read_model: ReadModel) -> Sequence[Instance]:
    """Return the instances, with `used_elsewhere` where a job names machines for removal.

    One statement looks up the machines of all of them; without any, none does.
    """
    asked = [machines_to_remove(instance.runs) for instance in instances]
    digests = {digest_of(machine) for machine in chain(*asked)}
    if not digests:
        return instances
    uses = read_model.uses_of(digests)
    if uses is None:  # another release's rows are served: nobody knows
        return instances
    by_machine: dict[str, list[MachineUse]] = {}
    for use in uses:
        by_machine.setdefault(use.machine, []).append(use)
    return [
        _with_uses(instance, machines, by_machine) if machines else instance
        for instance, machines in zip(instances, asked, strict=True)
    ]


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

"""Which machines a job works or runs on, and which ones it may ask people to remove."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from domain.job.runs.doubtful import doubtful
from domain.job.runs.rollback import has_unnamed_rerun
from domain.job.runs.state import Runs


def machines_in_use(runs: Runs) -> AbstractSet[str]:
    """Return the ids of the machines on which an attempt works, or runs.

    A re-run of the failed parts that runs and names no machine goes on with those of the try
    before it.
    """
    found: set[str] = set()
    for attempt in runs.attempts:
        if attempt.replaced:
            continue
        if has_unnamed_rerun(runs, attempt):
            found |= {each.server_id for each in attempt.machines if not each.gone}
            if attempt.machine_id and not attempt.stopped_at:
                found.add(attempt.machine_id)
        if attempt.final and attempt.status != "running":
            continue
        if attempt.machine_id:
            found.add(attempt.machine_id)
        if attempt.machines:
            found |= {o.server_id for o in attempt.machines if attempt.wants(o.server_id)}
    return found


def may_use_others(before: Runs, after: Runs) -> bool:
    """Tell whether the machines in use may differ; to find that they do not costs next to nothing.

    The projector asks after every heartbeat. What no event has changed is the same object.
    """
    if len(before.attempts) != 1 or len(after.attempts) != 1:
        return True
    old, new = before.attempts[0], after.attempts[0]
    return not (
        old.final is new.final
        and old.stopped_at is new.stopped_at
        and old.server_id is new.server_id
        and old.settled is new.settled
        and old.rolled_back is new.rolled_back
        and old.machines is new.machines
    )


def machines_to_remove(runs: Runs) -> AbstractSet[str]:
    """Return the ids of the machines that people may be asked to remove.

    A rollback names them, they are in doubt, or a stop was asked for.
    """
    left = {machine for attempt in runs.attempts for machine, _ in attempt.machines_left if machine}
    for attempt in runs.attempts:
        if attempt.stop_requested_at and attempt.status == "running" and attempt.machine_id:
            left.add(attempt.machine_id)
    return left | {machine for _, machine in doubtful(runs)}

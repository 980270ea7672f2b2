"""The room for steps in a job's state: about so many bytes for the steps of all its attempts.

A sender chooses the names of steps and of runs. So 50 attempts of 200 long names each would make a
state of megabytes, which is read, folded and written again with each callback.
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.runs.state import Runs

MAX_STEP_BYTES: Final = 128 * 2**10
"""The steps of a job's attempts take at most about this many bytes, as JSON."""
TIMES_BYTES: Final = 150
"""The times of one step, as JSON."""
LONGEST_NAME: Final = 800
"""A callback's step has at most 200 characters, of four bytes each."""


def with_room_for_steps(runs: Runs, kept: int) -> Runs:
    """Return the runs with as many steps as a job's state holds.

    The attempts of the oldest runs lose their steps first, each all of them. The attempt that is
    shown, the one that is watched and the one with the number `kept` lose none; each of them has at
    most `MAX_STEPS`, and those of its definition.
    """
    steps = sum(len(each.steps) for each in runs.attempts)
    if steps * (TIMES_BYTES + LONGEST_NAME) <= MAX_STEP_BYTES:
        return runs  # as for almost every job
    too_many = sum(map(_bytes_of, runs.attempts)) - MAX_STEP_BYTES
    spared = {kept, runs.present.number, runs.watched.number}
    every = list(runs.attempts)
    for place, attempt in enumerate(every):
        if too_many <= 0:
            break
        if attempt.steps and attempt.number not in spared:
            too_many -= _bytes_of(attempt)
            every[place] = msgspec.structs.replace(attempt, steps={}, steps_left_out=True)
    return Runs(tuple(every), runs.opened, runs.retries, runs.forgotten)


def _bytes_of(attempt: Attempt) -> int:
    return sum(TIMES_BYTES + len(name.encode()) for name in attempt.steps)

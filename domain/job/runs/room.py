"""The room for a job's attempts in its state: about so many bytes, whatever they consist of.

Each part of an attempt has a bound of its own. But 50 attempts of 20 machines, a long error and
long names make a state of megabytes, which is read, folded and written again with each callback.
"""

from __future__ import annotations

from typing import Final

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.runs.doubtful import doubtful
from domain.job.runs.state import MAX_RUNS, Runs, without
from domain.job.runs.step_room import LONGEST_NAME, TIMES_BYTES, with_room_for_steps

MAX_BYTES: Final = 512 * 2**10
"""A job's attempts take at most this many bytes, as JSON."""
MOST_BESIDE: Final = 8 * LONGEST_NAME + 1_200
"""The most bytes of an attempt beside its steps, its machines and its error: it has eight names."""
CHARACTER_BYTES: Final = 6
"""JSON takes at most so many bytes for a character of an error."""

_encoder = msgspec.json.Encoder()


def remembered(runs: Runs) -> Runs:
    """Forget the oldest attempts above the limit.

    The attempt that is shown stays, and one whose machine needs somebody if any other can go.
    """
    while len(runs.attempts) > MAX_RUNS:
        needed = _needed(runs)
        may_go = [each for each in runs.attempts if each is not runs.present]
        oldest = next((each for each in may_go if each.number not in needed), may_go[0])
        runs = without(runs, oldest)
    return runs


def _needed(runs: Runs) -> set[int]:
    """Return the numbers of the attempts with a machine that has to be removed, or is in doubt."""
    left = {each.number for each in runs.attempts if each.machines_left}
    return left | {attempt.number for attempt, _ in doubtful(runs)}


def may_have_grown(before: Attempt, after: Attempt) -> bool:
    """Tell whether a fact added more to an attempt than a time."""
    return (
        after.steps is not before.steps
        or after.machines is not before.machines
        or after.final is not before.final
        or after.server_id is not before.server_id
        or after.server_ip is not before.server_ip
        or after.tailscale_ip is not before.tailscale_ip
        or after.rolled_back is not before.rolled_back
        or after.settled is not before.settled
    )


def within_room(runs: Runs, kept: int) -> Runs:
    """Return the runs with as much as a job's state holds.

    Old attempts lose their steps first (`step_room.py`). Beyond `MAX_BYTES`, the job forgets the
    attempts of the oldest runs, and last of all those whose machines need somebody. It never
    forgets the attempt that is shown, the one that is watched, or the one with the number `kept`:
    each of them takes at most about 224 KB, and the steps of its definition.
    """
    runs = with_room_for_steps(runs, kept)
    if sum(map(_at_most, runs.attempts)) <= MAX_BYTES:
        return runs  # as for almost every job
    sizes = [len(_encoder.encode(attempt)) for attempt in runs.attempts]
    too_many = sum(sizes) - MAX_BYTES
    if too_many <= 0:
        return runs
    spared, needed = {kept, runs.present.number, runs.watched.number}, _needed(runs)
    may_go = [
        (attempt.number in needed, place, size, attempt)
        for place, (attempt, size) in enumerate(zip(runs.attempts, sizes, strict=True))
        if attempt.number not in spared
    ]
    for _, _, size, attempt in sorted(may_go, key=lambda each: each[:2]):
        if too_many <= 0:
            break
        too_many -= size
        runs = without(runs, attempt)
    return runs


def _at_most(attempt: Attempt) -> int:
    """Return what an attempt takes at most, without encoding it."""
    most = MOST_BESIDE + (TIMES_BYTES + LONGEST_NAME) * len(attempt.steps)
    most += (TIMES_BYTES + LONGEST_NAME) * len(attempt.machines)
    if attempt.final and attempt.final.error:
        most += CHARACTER_BYTES * len(attempt.final.error)
    return most

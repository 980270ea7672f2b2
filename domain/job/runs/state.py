"""All attempts of a job: which one is shown, which one works, and how facts reach them.

Every run of a workflow has an attempt of its own. The attempts are in the order of their runs, the
oldest first. Which attempt a callback belongs to was decided when it was recorded, and is stored
with it (`domain/job/runs/belonging.py`).
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import msgspec

from domain.job.attempt import fold
from domain.job.attempt.state import Attempt, ReportedValue, cut_off
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    JobTimedOut,
    MachineStopped,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.runs import first_release

MAX_RUNS = 50
"""A job remembers the newest attempts, at most this many; the events hold all of them."""
MAX_FORGOTTEN = 500
"""Of this many attempts before those, a job remembers that their runs were there."""

MAX_DIGITS = 200
"""Longer ids are no numbers: an id that a callback gave is never longer."""

OfOneAttempt = (
    JobTimedOut
    | TimeoutWithdrawn
    | AttemptFailed
    | AttemptCancelled
    | MachineStopped
    | RollbackRequested
    | RollbackWithdrawn
)


class Runs(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The attempts that a job remembers, the oldest run's first; there is always one.

    `opened` counts all attempts that the job ever had, `retries` those after the first one that a
    failure which came late did not open. `forgotten` has a short digest of each run
    that is no longer remembered.
    """

    attempts: tuple[Attempt, ...] = (Attempt(),)
    opened: int = 1
    retries: int = 0
    forgotten: tuple[str, ...] = ()

    @property
    def present(self) -> Attempt:
        """The attempt that is shown.

        It is the newest one that ended `running` and was not stopped, else the newest one that
        began, else the newest one.
        """
        every = self.attempts
        if len(every) == 1:
            return every[0]
        for attempt in reversed(every):
            if attempt.status == "running" and not attempt.replaced:
                return attempt
        for attempt in reversed(every):
            if attempt.has_begun and not attempt.replaced:
                return attempt
        return every[-1]

    @property
    def working(self) -> Attempt | None:
        """The newest attempt that began if it is in progress; an older one is superseded.

        An attempt that waits for its workflow is in progress, too.
        """
        for attempt in reversed(self.attempts):
            if attempt.final is None:
                return attempt
            if attempt.has_begun:
                return None
        return None

    @property
    def watched(self) -> Attempt:
        """The attempt that has deadlines.

        It is the one in progress, else a superseded one that has not ended, else the one shown.
        """
        if len(self.attempts) == 1:
            return self.attempts[0]
        if self.working:
            return self.working
        left = (each for each in reversed(self.attempts) if each.final is None)
        return next(left, self.present)

    def is_superseded(self, attempt: Attempt) -> bool:
        """Tell whether another run has taken the place of this attempt while it was in progress."""
        if attempt.final is not None:
            return False
        place = self._place(attempt.number)
        return place is not None and any(later.has_begun for later in self.attempts[place + 1 :])

    def find(self, number: int) -> Attempt | None:
        """Return the attempt with this number, or None if it is not remembered."""
        for attempt in self.attempts:
            if attempt.number == number:
                return attempt
        return None

    def newest_of(self, run_id: str, run_attempt: int | None) -> Attempt | None:
        """Return the newest attempt of a run, or None if the run is not known.

        A run that names no `run_attempt` may be any of its id's. A `run_attempt` that is named may
        be an attempt of that id which has named none yet: its first one, or one in progress.
        """
        same = [each for each in self.attempts if each.run_id and each.run_id.value == run_id]
        if run_attempt is None:
            return same[-1] if same else None
        for attempt in reversed(same):
            if attempt.run_attempt == run_attempt:
                return attempt
        for attempt in reversed(same):
            if attempt.run_attempt is None and (run_attempt == 1 or attempt.final is None):
                return attempt
        return None

    def has_forgotten(self, run_id: str, run_attempt: int | None) -> bool:
        """Tell whether this run had an attempt that is no longer remembered."""
        return bool(self.forgotten) and _digest(run_id, run_attempt) in self.forgotten

    def number_of(self, fact: Received) -> int:
        """Return the number of the attempt that a stored callback belongs to, 0 for none."""
        if fact.attempt is not None:
            return fact.attempt
        if self.opened == 1:
            return self.attempts[0].number
        return first_release.number_of(self.attempts, fact)

    def _place(self, number: int) -> int | None:
        for place, attempt in enumerate(self.attempts):
            if attempt.number == number:
                return place
        return None

    def _with(self, before: Attempt, after: Attempt) -> Runs:
        if len(self.attempts) == 1:
            return Runs((after,), self.opened, self.retries, self.forgotten)
        changed = [after if each is before else each for each in self.attempts]
        ordered = tuple(changed) if _key(before) == _key(after) else in_order(changed)
        return Runs(ordered, self.opened, self.retries, self.forgotten)


def evolve(runs: Runs, fact: Fact) -> Runs:
    """Fold one fact into the attempt that it belongs to."""
    before, folded, after = _latest[0]
    if before is not runs or folded is not fact:
        after = _evolved(runs, fact)
        _latest[0] = runs, fact, after
    return after


_latest: list[tuple[Runs, Fact | None, Runs]] = [(Runs(), None, Runs())]
"""The last result: the projector folds each fact into the same runs twice, once for each view."""


def _evolved(runs: Runs, fact: Fact) -> Runs:
    if isinstance(fact, Received):
        attempt = runs.find(runs.number_of(fact))
    elif isinstance(fact, AttemptStarted):
        return _opened(runs, fact)
    elif isinstance(fact, StopRequested):
        attempt = runs.present
    elif isinstance(fact, OfOneAttempt):
        attempt = runs.find(fact.attempt)
    else:
        return runs
    if attempt is None:
        return runs
    after = fold.evolve(attempt, fact)
    return runs if after is attempt else runs._with(attempt, after)


def in_order(every: list[Attempt]) -> tuple[Attempt, ...]:
    """Return attempts with the oldest run's first; attempts that cannot be compared stay."""
    placed: list[Attempt] = []
    for attempt in every:
        place = len(placed)
        while place and _is_newer(placed[place - 1], attempt):
            place -= 1
        placed.insert(place, attempt)
    return tuple(placed)


def _is_newer(one: Attempt, other: Attempt) -> bool:
    """Tell whether `one`'s run is newer: by run_attempt, ids, clocks, or the order of opening."""
    if one.before == other.number or other.before == one.number:
        return other.before == one.number
    opened_later = one.number > other.number
    if one.replaced or other.replaced:
        return opened_later
    if one.run_id and other.run_id:
        if one.run_id.value == other.run_id.value:
            if one.run_attempt and other.run_attempt and one.run_attempt != other.run_attempt:
                return one.run_attempt > other.run_attempt
            return opened_later
        later = one if opened_later else other
        if later.wanted or later.reruns or (later.run_attempt and later.run_attempt > 1):
            return opened_later
        ids = one.run_id.value, other.run_id.value
        if all(each.isascii() and each.isdigit() and len(each) <= MAX_DIGITS for each in ids):
            return int(ids[0]) > int(ids[1])
    clocks = _opening_clock(one), _opening_clock(other)
    if clocks[0] and clocks[1] and clocks[0] != clocks[1]:
        return clocks[0] > clocks[1]
    return opened_later


def _key(attempt: Attempt) -> tuple[object, ...]:
    """Return all of an attempt that its place in the order depends on and that may change."""
    run_id = attempt.run_id.value if attempt.run_id else None
    return run_id, attempt.run_attempt, _opening_clock(attempt)


def _opening_clock(attempt: Attempt) -> datetime | None:
    claimed = attempt.claim.occurred_at if attempt.claim else None
    # A heartbeat may claim an attempt that had failed before.
    known = (attempt.opened_at, claimed, attempt.failure_at)
    return min((time for time in known if time), default=None)


def _opened(runs: Runs, started: AttemptStarted) -> Runs:
    if started.number <= runs.opened:
        return runs  # no release stores this
    if started.because is None:
        return first_release.opened(runs, started)
    run_id = started.workflow_run_id
    fresh = Attempt(
        number=started.number,
        since=started.recorded_at,
        opened_at=started.occurred_at,
        before=started.before,
        begun=started.because != "failure",
        reruns=started.because == "rerun",
        wanted=started.because == "retry",
        run_id=ReportedValue(run_id, started.occurred_at) if run_id else None,
        run_attempt=started.run_attempt,
    )
    every = list(runs.attempts)
    for place, each in enumerate(every):
        if each.number == started.before and started.occurred_at:
            # A failure that came late divides this attempt's time: the older part is the failed
            # one's.
            every[place] = cut_off(each, started.occurred_at)
            fresh = msgspec.structs.replace(fresh, opened_at=each.opened_at)
    retries = runs.retries + (started.because != "failure")
    return remembered(Runs(in_order([*every, fresh]), started.number, retries, runs.forgotten))


def remembered(runs: Runs) -> Runs:
    """Forget the oldest attempts above the limit.

    The attempt that is shown stays, and one whose machine has to be removed if any other can go.
    """
    every, forgotten = list(runs.attempts), list(runs.forgotten)
    while len(every) > MAX_RUNS:
        may_go = [each for each in every if each is not runs.present]
        oldest = next((each for each in may_go if not each.machines_left), may_go[0])
        every = [each for each in every if each is not oldest]
        if oldest.run_id:
            digests = {
                _digest(oldest.run_id.value, run_attempt)
                for run_attempt in (None, oldest.run_attempt)
            }
            forgotten.extend(sorted(digests - set(forgotten)))
    return Runs(tuple(every), runs.opened, runs.retries, tuple(forgotten[-MAX_FORGOTTEN:]))


def _digest(run_id: str, run_attempt: int | None) -> str:
    return sha256(f"{run_attempt or ''} {run_id}".encode()).hexdigest()[:12]

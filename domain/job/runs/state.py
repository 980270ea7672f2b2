"""All attempts of a job: which one is shown, which one works, and which ones are remembered.

Every run of a workflow has an attempt of its own. The attempts are in the order of their runs, the
oldest first. Which attempt a callback belongs to was decided when it was recorded, and is stored
with it (`domain/job/runs/placing/belonging.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.events import Received
from domain.job.runs import first_release
from domain.job.runs.order import in_order, sort_key

MAX_RUNS = 50
"""A job remembers the newest attempts, at most this many; the events hold all of them."""
MAX_FORGOTTEN = 500
"""Of this many attempts before those, a job remembers that their runs were there."""


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
        return any(later.has_begun for later in self.newer_than(attempt.number))

    def newer_than(self, number: int) -> Sequence[Attempt]:
        """Return the attempts of newer runs than that of this attempt; none if it is forgotten."""
        return self.attempts[self._place(number) + 1 :]

    def older_than(self, number: int) -> Sequence[Attempt]:
        """Return the attempts of older runs than that of this attempt."""
        return self.attempts[: self._place(number)]

    def find(self, number: int) -> Attempt | None:
        """Return the attempt with this number, or None if it is not remembered."""
        for attempt in self.attempts:
            if attempt.number == number:
                return attempt
        return None

    def newest_of(self, run_id: str, run_attempt: int | None) -> Attempt | None:
        """Return the newest attempt of a run, or None if the run is not known.

        A run that names no `run_attempt` may be any of its id's. A `run_attempt` that is named may
        be an attempt of that id which has named none yet: its first one, or one in progress. Some
        senders count from 0.
        """
        same = [each for each in self.attempts if each.run_id and each.run_id.value == run_id]
        if run_attempt is None:
            return same[-1] if same else None
        for attempt in reversed(same):
            if attempt.run_attempt == run_attempt:
                return attempt
        for attempt in reversed(same):
            if attempt.run_attempt is None and (run_attempt <= 1 or attempt.final is None):
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

    def _place(self, number: int) -> int:
        numbers = [attempt.number for attempt in self.attempts]
        return numbers.index(number) if number in numbers else len(numbers)

    def with_changed(self, before: Attempt, after: Attempt) -> Runs:
        """Return the runs with an attempt as it has become, in its place."""
        if len(self.attempts) == 1:
            return Runs((after,), self.opened, self.retries, self.forgotten)
        changed = [after if each is before else each for each in self.attempts]
        ordered = tuple(changed) if sort_key(before) == sort_key(after) else in_order(changed)
        return Runs(ordered, self.opened, self.retries, self.forgotten)


def without(runs: Runs, attempt: Attempt) -> Runs:
    """Forget an attempt; remember that its run was there."""
    every = tuple(each for each in runs.attempts if each is not attempt)
    forgotten = list(runs.forgotten)
    if attempt.run_id:
        digests = {
            _digest(attempt.run_id.value, run_attempt)
            for run_attempt in (None, attempt.run_attempt)
        }
        forgotten.extend(sorted(digests - set(forgotten)))
    return Runs(every, runs.opened, runs.retries, tuple(forgotten[-MAX_FORGOTTEN:]))


def _digest(run_id: str, run_attempt: int | None) -> str:
    return sha256(f"{run_attempt or ''} {run_id}".encode()).hexdigest()[:12]

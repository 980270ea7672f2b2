"""Removals: which attempt `stopped` is about, and which others had the same machine."""

from __future__ import annotations

from collections.abc import Sequence

from domain.job.attempt.state import Attempt
from domain.job.runs.placing.word import Word, was_sent_after
from domain.job.runs.rollback import has_unnamed_rerun
from domain.job.runs.state import Runs

NONE = 0
"""The number that stands for no attempt: the callback is recorded and changes nothing."""


def removed_in(runs: Runs, word: Word, is_registered: bool) -> int | None:
    """Return the number of the attempt whose machine is gone; `NONE` if it is no attempt's.

    None means that `stopped` belongs where any other word of its run would.
    """
    if stopping := _stopping(runs, word):
        return stopping.number
    if word.server_id and not _may_be_the_one_that_runs(runs):
        return NONE  # another job's machine, or one from before the job
    if word.server_id and _has_another_machine(runs, word):
        return runs.present.number
    return _before_it_begins(runs, word, is_registered)


def removed_before(runs: Runs, present: Attempt, word: Word) -> Attempt | None:
    """Return the earlier attempt whose machine is gone, if a late word of no run speaks of it.

    The present attempt runs on another machine. While it has none, it may have made one of the
    same name.
    """
    if not word.server_id or present.status != "running" or present.machine_id is None:
        return None
    if present.is_machine(word.server_id) or present.other(word.server_id):
        return None
    for attempt in reversed(runs.attempts):
        if attempt.stopped_at and attempt.is_machine(word.server_id):
            # By its clock, a later word says that the machine was started again.
            return None if was_sent_after(attempt, word, attempt.stopped_at) else attempt
    return None


def ran_before(runs: Runs, number: int, server_id: str | None) -> Sequence[Attempt]:
    """Return the attempts of older runs that run on a machine which is gone from this attempt.

    A newer run may have made a machine of the same name since.
    """
    gone = runs.find(number)
    if gone is None:
        return ()
    machine, older = server_id or gone.machine_id, runs.older_than(number)
    return [
        each
        for each in older
        if each.status == "running" and each.has_machine(machine) and not _ran_since(each, gone)
    ]


def _ran_since(attempt: Attempt, gone: Attempt) -> bool:
    """Tell whether an attempt ran after the machine was gone: its machine is another one."""
    final = attempt.final
    return bool(final and gone.stopped_at and final.moment.recorded_at > gone.stopped_at)


def _stopping(runs: Runs, word: Word) -> Attempt | None:
    """Return the attempt whose machine is gone: the named one, else one that was asked to stop."""
    every = reversed(runs.attempts)
    if word.server_id:
        if word.run_id and (own := runs.newest_of(word.run_id, word.run_attempt)):
            # A re-run may have made a machine of the same name since.
            if own.is_machine(word.server_id) or own.other(word.server_id):
                return own
        found = next((each for each in every if each.has_machine(word.server_id)), None)
        return _rerun_on_it(runs, word, found) or found
    asked = [each for each in every if each.stop_requested_at and not each.stopped_at]
    if word.run_id:
        # A run of which nobody has heard removes the machine that somebody asked to be removed.
        run = word.run_id, word.run_attempt
        is_unknown = not (runs.newest_of(*run) or runs.has_forgotten(*run))
        return asked[0] if len(asked) == 1 and is_unknown else None
    present = runs.present
    return next(iter(asked), present if present.status == "running" else None)


def _rerun_on_it(runs: Runs, word: Word, failed: Attempt | None) -> Attempt | None:
    """Return the re-run whose unnamed machine is gone, if it may have gone on with this one.

    Unless it was asked to stop, or says so itself, only the failed run's rollback may be done.
    """
    present = runs.present
    if failed is None or not has_unnamed_rerun(runs, failed) or present.machine_id:
        return None
    own = runs.newest_of(word.run_id, word.run_attempt) if word.run_id else None
    return present if present.stop_requested_at or own is present else None


def _before_it_begins(runs: Runs, word: Word, is_registered: bool) -> int | None:
    """Decide about `stopped` without a machine while the attempt in progress has none yet.

    It is about the one machine that an earlier attempt left, if it is about any.
    """
    waiting = runs.working
    if word.server_id or waiting is None or waiting.status != "queued":
        return None
    if not (is_registered or waiting.wanted):
        return None  # nobody waits for a workflow
    if word.run_id:
        is_known = runs.newest_of(word.run_id, word.run_attempt)
        return None if is_known else NONE
    left = [attempt.number for attempt in runs.attempts for _ in attempt.machines_left]
    return left[0] if len(left) == 1 else NONE


def _has_another_machine(runs: Runs, word: Word) -> bool:
    """Tell whether the word cannot mean the machine of its own run; one without a run has none."""
    if word.run_id is None:
        return True
    own = runs.newest_of(word.run_id, word.run_attempt)
    return own is not None and own.machine_id is not None


def _may_be_the_one_that_runs(runs: Runs) -> bool:
    """Tell whether a machine that no callback named may be the one that runs."""
    present = runs.present
    return present.status in ("running", "stopped") and present.machine_id is None

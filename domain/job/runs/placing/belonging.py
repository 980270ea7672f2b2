"""Which attempt a callback belongs to, and whether it opens one: runs before clocks.

This is decided once, in the transaction that records the callback, and stored with it. So what was
recorded in one attempt never moves to another. `docs/lifecycle.md` has these rules as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from domain.job.attempt.final import Final
from domain.job.attempt.state import Attempt
from domain.job.events import (
    AttemptStarted,
    Received,
    StatusReported,
)
from domain.job.runs.placing.dating import (
    came_late,
    ended_after,
    fails_before_the_job,
    has_a_slow_clock,
    open_at,
)
from domain.job.runs.placing.removal import NONE, removed_before, removed_in
from domain.job.runs.placing.word import (
    Word,
    begins_again,
    failed_before,
    goes_on_elsewhere,
    is_evidence,
    is_the_next_failure,
    refutes,
    was_another_failure,
)
from domain.job.runs.state import Runs


class Placement(msgspec.Struct, frozen=True, gc=False):
    """The attempt of a callback. `started` opens it, `revives` takes its timeout back."""

    number: int
    started: AttemptStarted | None = None
    revives: bool = False


def place(
    runs: Runs, facts: Sequence[Received], registered_at: datetime | None = None
) -> Placement:
    """Decide which attempt a callback belongs to; a registered job waits for its workflow."""
    if _is_plain(runs, facts[-1]):
        return Placement(runs.attempts[0].number)
    word = Word(facts)
    if word.status == "stopped":
        number = removed_in(runs, word, registered_at is not None)
        if number is not None:
            return Placement(number)
    if repeated := _failed_at(runs, word):
        return Placement(repeated.number)
    if word.run_id is None:
        return _of_no_run(runs, word, registered_at)
    if known := runs.newest_of(word.run_id, word.run_attempt):
        return _of_attempt(runs, known, word)
    if runs.has_forgotten(word.run_id, word.run_attempt):
        return Placement(NONE)
    return _of_unknown_run(runs, word)


def _is_plain(runs: Runs, fact: Received) -> bool:
    # Almost all callbacks come while the job's one attempt is in progress, from its run or from a
    # sender that names none. The rules below say the same of them, in five times the time.
    attempt = runs.attempts[0]
    if len(runs.attempts) > 1 or attempt.final is not None:
        return False
    if isinstance(fact, StatusReported) and fact.status not in ("provisioning", "running"):
        return False
    if attempt.run_id is None or fact.workflow_run_id is None:
        return True
    return fact.workflow_run_id == attempt.run_id.value and fact.run_attempt in (
        None,
        attempt.run_attempt,
    )


def _failed_at(runs: Runs, word: Word) -> Attempt | None:
    """Return the failed attempt of which this failure is a repetition, by the sender's time."""
    said = word.fact.occurred_at
    if not (word.fails and said) or word.run_attempt:
        return None
    for attempt in reversed(runs.attempts):
        run_id = attempt.run_id.value if attempt.run_id else None
        if run_id == word.run_id and attempt.failure_at == said and attempt.status == "failed":
            return attempt
    return None


def _of_no_run(runs: Runs, word: Word, registered_at: datetime | None) -> Placement:
    attempt = runs.working or runs.present
    if gone := removed_before(runs, attempt, word):
        return Placement(gone.number)
    if word.clock and not fails_before_the_job(runs, attempt, word, registered_at):
        then = open_at(runs, attempt, word.clock)
        is_another = was_another_failure(then, word)
        if (is_another or then is not attempt) and not has_a_slow_clock(runs, attempt, word):
            if is_another:
                return _opens(runs, word, "failure", before=then.number)
            attempt = then
    return _of_attempt(runs, attempt, word)


def _of_unknown_run(runs: Runs, word: Word) -> Placement:
    if ended := ended_after(runs, word):
        # The run's end named no run, and overtook this word.
        return Placement(ended.number)
    working = runs.working
    if working and working.run_id is None:
        # The attempt waits for its run, or its first words named none.
        return _of_attempt(runs, working, word)
    if word.fails and (silent := _given_up(runs)) and silent.run_id is None:
        # The failure says what its silence meant.
        return _of_attempt(runs, silent, word)
    if word.begins or (word.is_heartbeat and working is None):
        return _opens(runs, word, "run")
    if word.fails:
        return _opens(runs, word, "failure")
    return Placement(NONE)


def _of_attempt(runs: Runs, attempt: Attempt, word: Word) -> Placement:
    final = attempt.final
    if final is None or attempt.replaced:
        return Placement(attempt.number)
    if (retry := _waiting(runs)) and begins_again(attempt, final, retry, word):
        return Placement(retry.number)
    if final.ordered:
        return Placement(attempt.number)
    if goes_on_elsewhere(attempt, final, word):
        return _goes_on(runs, word)
    may_revive = not word.fails and (final.removed or final.status == "running")
    if may_revive and came_late(runs, attempt, word, attempt.stopped_at):
        return Placement(attempt.number)
    if final.status == "running":
        return _after_running(runs, attempt, final, word)
    if final.inferred:
        return _after_timeout(runs, attempt, final, word)
    if (not word.run_attempt or final.unnamed) and is_evidence(attempt, final, word):
        return _goes_on(runs, word)
    later = runs.working or _given_up(runs)
    if later and is_the_next_failure(later, attempt, final, word):
        return _of_attempt(runs, later, word)
    return Placement(attempt.number)


def _after_running(runs: Runs, attempt: Attempt, final: Final, word: Word) -> Placement:
    if failed_before(final, word):
        return _opens(runs, word, "failure", before=attempt.number)
    if attempt.stopped_at and not word.run_attempt and is_evidence(attempt, final, word):
        return _goes_on(runs, word)
    return Placement(attempt.number)


def _after_timeout(runs: Runs, attempt: Attempt, final: Final, word: Word) -> Placement:
    if came_late(runs, attempt, word, final.moment.recorded_at):
        return Placement(attempt.number)
    announces = word.status == "provisioning"
    if announces and not word.run_attempt and (attempt.announced or attempt.stopped_at):
        return _goes_on(runs, word)
    # Once its machine is gone, nothing takes the timeout back.
    revives = attempt.stopped_at is None and refutes(attempt, final, word)
    return Placement(attempt.number, revives=revives)


def _waiting(runs: Runs) -> Attempt | None:
    """Return the attempt that an operator's `retry` opened, while it waits for its run."""
    working = runs.working
    return working if working and working.wanted and working.run_id is None else None


def _goes_on(runs: Runs, word: Word) -> Placement:
    working = runs.working
    if working and working.run_id is None:
        # An earlier word without a run has opened the next attempt already.
        return Placement(working.number)
    # While another run is in progress, a first word that came late looks like a re-run, too.
    is_rerun = working is None and word.status != "running"
    return _opens(runs, word, "rerun" if is_rerun else "evidence")


def _opens(
    runs: Runs,
    word: Word,
    because: Literal["run", "rerun", "evidence", "failure"],
    before: int | None = None,
) -> Placement:
    number = runs.opened + 1
    started = AttemptStarted(
        recorded_at=word.fact.recorded_at,
        number=number,
        occurred_at=word.fact.occurred_at,
        workflow_run_id=word.run_id,
        run_attempt=word.run_attempt,
        because=because,
        before=before,
    )
    return Placement(number, started)


def _given_up(runs: Runs) -> Attempt | None:
    """Return the attempt that is shown if it is shown as timed out."""
    present = runs.present
    return present if present.final and present.final.inferred else None

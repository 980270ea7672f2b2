"""A callback's word, and what it says of one attempt: that it goes on, or that it failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.job.attempt.clocks import MAX_LEAD, clock_of, whole_seconds
from domain.job.attempt.final import Final
from domain.job.attempt.sending import sent_at
from domain.job.attempt.state import Attempt
from domain.job.events import (
    HeartbeatReceived,
    Machine,
    Received,
    StatusReported,
    StepReported,
)
from domain.job.long_text import shortened


class Word:
    """What a callback's facts say together."""

    def __init__(self, facts: Sequence[Received]) -> None:
        self.fact = fact = facts[-1]
        self.run_id = fact.workflow_run_id
        self.run_attempt = fact.run_attempt
        self.clock = clock_of(fact)
        self.status = fact.status if isinstance(fact, StatusReported) else None
        self.step = fact.step if isinstance(fact, StepReported) else None
        self.is_heartbeat = isinstance(fact, HeartbeatReceived)
        self.begins = self.step is not None or self.status in ("provisioning", "running")
        self.fails = self.status in ("failed", "cancelled")
        self._facts = facts

    @property
    def server_id(self) -> str | None:
        """The id of the machine that the callback names."""
        return next((f.server_id for f in self._facts if isinstance(f, Machine)), None)

    @property
    def runs_on_machine(self) -> bool:
        """True for `running` that names something of a machine."""
        return self.status == "running" and any(
            fact.server_id or fact.server_ip or fact.tailscale_ip
            for fact in self._facts
            if isinstance(fact, Machine)
        )


def goes_on_elsewhere(attempt: Attempt, final: Final, word: Word) -> bool:
    """Tell whether the run works on another machine, after its first one was removed.

    A machine that was removed before any end was reported ended the attempt. After a reported end,
    a step with another machine may be a late one, and only `running` says more than a run_attempt.
    """
    if not (word.begins and word.server_id and attempt.stopped_at):
        return False
    other = attempt.other(word.server_id)
    is_known = other is not None and (other.settled or word.status != "running")
    if is_known or attempt.is_machine(word.server_id):
        return False
    if attempt.stopped_at == final.moment.recorded_at:
        return True
    if word.status == "running":
        return final.status == "running" or final.inferred
    said = word.fact.occurred_at
    if said and attempt.evidence_at and said <= attempt.evidence_at:
        return False
    if final.inferred:
        return not was_sent_before(attempt, word, final.moment.recorded_at)
    return final.status == "running" and not word.run_attempt


def begins_again(attempt: Attempt, final: Final, retry: Attempt, word: Word) -> bool:
    """Tell whether this word of an ended run begins the retry: a re-run may keep the id."""
    if not word.begins:
        return False
    if word.clock and retry.since:
        return not was_sent_before(attempt, word, retry.since)
    return is_evidence(attempt, final, word)


def refutes(attempt: Attempt, final: Final, word: Word) -> bool:
    """Tell whether this word says that the attempt was not dead.

    A sign of life says so after a silence, and a new step after one that took too long. Nothing
    makes an attempt shorter that took too long as a whole. A reported end replaces any timeout.
    """
    if word.status not in (None, "provisioning") or final.deadline == "attempt":
        return False
    if final.deadline == "step":
        return word.step is not None and word.step not in attempt.steps
    return True


def is_evidence(attempt: Attempt, final: Final, word: Word) -> bool:
    """Tell whether work goes on after a reported failure."""
    if not word.begins:
        return False
    said, failed = word.fact.occurred_at, attempt.failure_at
    claimed = attempt.claim.occurred_at if attempt.claim else None
    if word.run_id and word.clock and attempt.claim and claimed:
        if claimed - attempt.claim.recorded_at > MAX_LEAD:
            claimed = None  # its clock is far ahead, so the two cannot be compared
    if said and claimed and said <= claimed and not (failed and is_before(failed, claimed)):
        return False  # it repeats the attempt's first word
    if failed and (word.clock is None) != (failed - final.moment.recorded_at > MAX_LEAD):
        failed = None  # one of the two clocks is far ahead, so they cannot be compared
    if said and failed and not is_before(failed, said):
        # Equal times may hide which came first; then the machine decides.
        return word.runs_on_machine and not is_before(said, failed)
    if word.clock and failed and is_before(failed, word.clock):
        return True
    if failed is None and was_sent_after(attempt, word, final.moment.recorded_at):
        return True
    return word.status == "provisioning" or word.runs_on_machine or word.step in attempt.steps


def is_the_next_failure(later: Attempt, attempt: Attempt, final: Final, word: Word) -> bool:
    """Tell whether a failed run failed again, in the attempt that words without a run opened."""
    if not word.fails or word.run_attempt or later.run_id:
        return False
    if later.number < attempt.number:
        return False
    fact = word.fact
    if fact.occurred_at and later.opened_at:
        return not is_before(fact.occurred_at, later.opened_at)
    # An equal failure may be a repetition of the first one, which must not end the next try.
    error, step, failed_step = (getattr(fact, name) for name in ("error", "step", "failed_step"))
    said = error and shortened(error), step, failed_step
    return said != (final.error, final.step, final.failed_step)


def was_another_failure(attempt: Attempt, word: Word) -> bool:
    """Tell whether the attempt went on after this failure without a run, which came late."""
    if not word.fails or attempt.final or not word.clock:
        return False
    return bool(attempt.evidence_at and is_before(word.clock, attempt.evidence_at))


def failed_before(final: Final, word: Word) -> bool:
    """Tell whether this failure came late: work went on after it, and its machine runs."""
    said, ran = word.fact.occurred_at, final.moment.occurred_at
    return bool(word.fails and said and ran and said <= ran)


def was_sent_before(attempt: Attempt, word: Word, moment: datetime) -> bool:
    """Tell whether a word of the attempt was sent before a moment of our clock."""
    clock, recorded_at = word.clock, word.fact.recorded_at
    return bool(clock and is_before(sent_at(attempt, clock, recorded_at), moment))


def was_sent_after(attempt: Attempt, word: Word, moment: datetime) -> bool:
    """Tell whether a word of the attempt was sent after a moment of our clock."""
    clock, recorded_at = word.clock, word.fact.recorded_at
    return bool(clock and is_before(moment, sent_at(attempt, clock, recorded_at)))


def is_before(one: datetime, other: datetime) -> bool:
    """Tell whether a time is before another one, in whole seconds."""
    return whole_seconds(one) < whole_seconds(other)

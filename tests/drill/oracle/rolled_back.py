"""Rollbacks: no machine that somebody wants is removed, and no other is left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from domain.job.callback import Callback
from domain.job.events import JobEvent, MachineStopped, RollbackRequested, RollbackWithdrawn
from tests.drill.model.senders import BY_NAME
from tests.drill.model.truth import Run
from tests.drill.oracle.expected import Claim, names_apart
from tests.drill.oracle.heard import Heard, Moment


def rolled_back(moment: Moment, fact: RollbackRequested, heard: Heard) -> Iterator[Claim]:
    """No rollback names a machine that is running, or in progress in another run.

    A run whose attempt has been given up is in progress for nobody.
    """
    for run in heard.life.runs:
        if not heard.names(run, fact.server_id) or heard.ended_by_order(run):
            continue
        if heard.still_runs(run):
            yield "a wanted machine is rolled back", f"{fact.server_id} runs (run {run.place})"
        elif (
            heard.end_of(run) is None
            and run == heard.newest
            and _works_on_it(moment, fact, heard, run)
        ):
            yield "a wanted machine is rolled back", f"run {run.place} works on {fact.server_id}"


def _works_on_it(moment: Moment, fact: RollbackRequested, heard: Heard, run: Run) -> bool:
    """Tell whether a word of the run says that an attempt which has not failed has this machine.

    Words without a run belong to the attempt that was open at their time. So one that is dated
    before a failure without a run belongs to the failed attempt, also if the failure comes late:
    clocks cannot tell of whose machine it speaks if two runs have the same one.
    """
    over = {
        each.number
        for each in moment.after.runs.attempts
        # By a slow clock, a word may be recorded in an attempt that ended with another machine.
        if each.final and not each.wants(fact.server_id)
    }
    failures = [
        word.callback
        for event, word in heard.words
        if word.callback.status == "failed" and heard.attempt_of(event) == fact.attempt
    ]
    return any(
        heard.attempt_of(event) not in over
        and not any(_is_surely_before(word.callback, failure) for failure in failures)
        for event, word in heard.of(run)
        if word.callback.server_id == fact.server_id
    )


def _is_surely_before(one: Callback, other: Callback) -> bool:
    """Tell whether two words without a run, and with clocks, say that one came before the other."""
    if one.workflow_run_id or other.workflow_run_id:
        return False
    said = one.occurred_at, other.occurred_at
    return said[0] is not None and said[1] is not None and said[0] < said[1]


def at_the_end(heard: Heard, history: Sequence[JobEvent]) -> Iterator[Claim]:
    """No rollback of a machine that runs is left standing, and no other machine is left behind."""
    asked: dict[int, list[str | None]] = {}
    for event in history:
        match event.fact:
            case RollbackRequested(attempt=number, server_id=server_id):
                asked.setdefault(number, []).append(server_id)
            case RollbackWithdrawn() | MachineStopped() as done if asked.get(done.attempt):
                # Without a name, it is about the machine that was asked back first. A person may
                # also say of a machine in doubt, which was not asked back, that it is gone.
                about = done.server_id or asked[done.attempt][0]
                if about in asked[done.attempt]:
                    asked[done.attempt].remove(about)
            case _:
                continue
    left = set(chain.from_iterable(asked.values()))
    running = [
        run for run in heard.life.runs if heard.still_runs(run) and not heard.ended_by_order(run)
    ]
    for server_id in left:
        for run in running:
            if heard.names(run, server_id):
                yield "a rollback is not withdrawn", f"{server_id} runs (run {run.place})"
    sender = BY_NAME[heard.life.sender]
    if heard.obeyed or sender.names != "all" or not names_apart(sender, heard.life):
        return  # a word without its run may be recorded in an attempt that ended otherwise
    for run in heard.life.runs:
        if heard.is_removed(run):
            continue
        for server_id in heard.machines_of(run) - left:
            if not any(heard.names(each, server_id) for each in running):
                yield "a machine is left behind", f"{server_id} of run {run.place}"

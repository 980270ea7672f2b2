"""What must be shown of a life at the end, and where the words do not carry enough to know.

Some weaker claims hold for everybody: no job stays in progress, nothing is shown `running` that no
run said, and every error that is shown was said by a run, or is a timeout.
"""

from __future__ import annotations

from collections.abc import Iterator

from projections.views.instance import Instance
from tests.drill.model.senders import BY_NAME, Sender
from tests.drill.model.truth import Life, Run
from tests.drill.oracle.heard import Heard

Claim = tuple[str, str]


def end_claims(heard: Heard, shown: Instance) -> Iterator[Claim]:
    """Check what is shown once everything has happened."""
    runs = heard.life.runs
    ran = [run for run in runs if heard.end_of(run) == "running"]
    running = [run for run in ran if not heard.is_removed(run)]
    if shown.status == "provisioning":
        yield "a dead job stays in progress", str(shown.attempt)
        return
    if shown.status == "pending":
        # A job that nobody registered has no start deadline.
        if heard.life.registered is not None:
            yield "a dead job waits for ever", str(shown.attempt)
        return
    if shown.status == "running" and not ran:
        yield "what no run said is shown", "running"
    if heard.obeyed:
        return  # `orders.py` says what is claimed of them
    if running:
        yield from _shows_a_success(heard, shown, running)
    else:
        yield from _shows_a_failure(heard, shown)


def _shows_a_success(heard: Heard, shown: Instance, running: list[Run]) -> Iterator[Claim]:
    reason = why_success_may_hide(heard, running[-1])
    if shown.status != "running":
        if reason is None:
            yield "a real success is hidden", f"{shown.status}: {shown.attempt.final}"
        return
    machine = shown.attempt.server_id.value if shown.attempt.server_id else None
    wanted = running[-1].machine.id if running[-1].names_machine else None
    possible = {wanted} if why_inexact(heard) is None else {run.machine.id for run in running}
    if wanted and machine not in possible:
        yield "another machine is shown", f"{machine}, not {possible}"


def _shows_a_failure(heard: Heard, shown: Instance) -> Iterator[Claim]:
    final = shown.attempt.final
    if shown.status != "failed" or final is None:
        return
    if not heard.words:
        return  # the start deadline gave it up
    errors = {word.callback.error for _, word in heard.words if word.callback.status == "failed"}
    if not (final.inferred or final.removed) and final.error not in errors:
        yield "what no run said is shown", str(final)
    newest = heard.newest
    if newest is None or _only_beats(heard, newest) or why_inexact(heard) is not None:
        return
    if heard.end_of(newest) == "failed":
        if final.inferred:
            yield "a timeout hides a real failure", str(final)
        elif final.error != f"error of run {newest.place}":
            yield "another run's failure is shown", f"{final}, not run {newest.place}"
    elif not final.inferred:
        yield "another run's failure is shown", f"{final}, not the silence of run {newest.place}"


def why_success_may_hide(heard: Heard, run: Run) -> str | None:
    """Say why a failure may be shown though this run ended `running`; None if it may not."""
    sender, life = BY_NAME[heard.life.sender], heard.life
    if why_inexact(heard) is None:
        return None
    if _lost_its_name(heard):
        return "a failure without a name came late, and belongs to the run that is present"
    others = [each for each in life.runs if each.place < run.place]
    if not others:
        return "a later run's failure may have come first, and no word tells the two apart"
    if names_apart(sender, life):
        return None
    if sender.clocks in ("mixed", "skewed"):
        return "a wrong clock says that `running` was before the failure"
    if not run.names_machine:
        return "after a failure, `running` without a machine is no evidence"
    return None


def why_inexact(heard: Heard) -> str | None:
    """Say why what is shown may be another run's end than the newest one's; None if it may not."""
    life = heard.life
    if heard.obeyed:
        return "an operator ended an attempt, or opened one"
    sender, is_faithful = BY_NAME[life.sender], heard.is_faithful
    if life.kind == "is re-run after another":
        return "whether a re-run of an older id is newer than a larger id is decided by arrival"
    if _lost_its_name(heard):
        return "a failure without a name came late, and belongs to the run that is present"
    if not sender.counts and any(_works_after_its_failure(heard, run) for run in life.runs):
        return "a word that comes after its run's failure looks like a re-run of the same id"
    if sender.names == "all" and names_apart(sender, life):
        return None
    if len(life.runs) == 1 and sender.clocks in ("none", "right") and is_faithful:
        return None
    if not is_faithful or not _one_after_another(life):
        return "words that do not name their run belong to the run that is present"
    if life.kind == "is re-run partly" and sender.clocks in ("none", "skewed"):
        return "a step that the failed try had not reached is no evidence that work goes on"
    if sender.clocks == "mixed":
        return "two hosts' clocks say different things of one order"
    return None


def _only_beats(heard: Heard, run: Run) -> bool:
    """Tell whether of a run after this one nothing but heartbeats, and perhaps its end, was heard.

    A heartbeat begins a run only where none is in progress.
    """
    later = heard.life.runs[run.place + 1 :]
    return any(word.callback.type for each in later for _, word in heard.of(each))


def _lost_its_name(heard: Heard) -> bool:
    """Tell whether a run that did not know its name may have been heard after a later one."""
    return not heard.is_faithful and any(not run.knows_itself for run in heard.life.runs)


def _works_after_its_failure(heard: Heard, run: Run) -> bool:
    ended = False
    for _, word in heard.of(run):
        if ended and word.is_begin:
            return True
        ended = ended or word.callback.status == "failed"
    return False


def names_apart(sender: Sender, life: Life) -> bool:
    """Tell whether the names that are said tell all runs apart."""
    if sender.names == "none":
        return False
    ids = {(run.id, run.attempt if sender.counts else None) for run in life.runs}
    return len(ids) == len(life.runs)


def _one_after_another(life: Life) -> bool:
    """Tell whether each run had ended, and said all, before the next one was dispatched."""
    for run, later in zip(life.runs, life.runs[1:], strict=False):
        if max([word.sent for word in life.words if word.run == run.place], default=0) >= min(
            [word.sent for word in life.words if word.run == later.place], default=0
        ):
            return False
    return True

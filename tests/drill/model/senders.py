"""Senders: what the callbacks of real workflows say of their run and of the time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from domain.job.callback import Callback
from tests.drill.model.truth import Run, Word
from tests.support.stores.deployment import NOON

STEPS = ("vm_created", "network_configured", "ansible_started", "ansible_complete")
BEAT_SECONDS = 60.0

Names = Literal["all", "ends", "none"]
"""Which words name their run: all of them, the first and the last one, or none."""
Clocks = Literal["none", "right", "skewed", "mixed"]
"""Whether words say when: not at all, rightly, by one wrong clock, or by two hosts' clocks."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of workflow. `counts` means that every word that names a run has `run_attempt`."""

    name: str
    names: Names
    counts: bool = False
    clocks: Clocks = "none"
    share: int = 1


SENDERS: Sequence[Sender] = (
    Sender(name="seed", names="ends", share=6),
    Sender(name="seed with clocks", names="ends", clocks="right", share=1),
    Sender(name="seed on two hosts", names="ends", clocks="mixed", share=1),
    Sender(name="named", names="all", share=3),
    Sender(name="named with clocks", names="all", clocks="right", share=1),
    Sender(name="named on two hosts", names="all", clocks="mixed", share=1),
    Sender(name="counted", names="all", counts=True, share=3),
    Sender(name="counted with clocks", names="all", counts=True, clocks="right", share=1),
    Sender(name="counted, wrong clock", names="all", counts=True, clocks="skewed", share=1),
    Sender(name="counted on two hosts", names="all", counts=True, clocks="mixed", share=1),
    Sender(name="clock alone", names="none", clocks="right", share=1),
    Sender(name="wrong clock alone", names="none", clocks="skewed", share=1),
    Sender(name="two clocks alone", names="none", clocks="mixed", share=1),
    Sender(name="nameless", names="none", share=2),
)
BY_NAME = {sender.name: sender for sender in SENDERS}


def time_at(seconds: float) -> datetime:
    """Return the time that many seconds after the start of the shift."""
    return NOON + timedelta(seconds=seconds)


def words_of(
    sender: Sender, job_id: str, runs: Sequence[Run], chance: random.Random
) -> tuple[Word, ...]:
    """Return all words that the runs send, in the order of sending."""
    with_ids = chance.random() < 0.5
    skews = _skews(sender.clocks, chance)
    said = sorted(
        (moment, run.place, host, fields)
        for run in runs
        for moment, host, fields in _spoken(run, chance)
    )
    words = []
    for number, (moment, place, host, fields) in enumerate(said, start=1):
        run = runs[place]
        named = dict(fields)
        is_named = sender.names == "all" or (sender.names == "ends" and _is_first_or_last(named))
        if is_named and run.knows_itself:
            named["workflow_run_id"] = run.id
            if sender.counts:
                named["run_attempt"] = run.attempt
        if sender.clocks != "none":
            named["occurred_at"] = time_at(int(moment) + skews[host])
        if with_ids:
            named["callback_id"], named["digest"] = f"{job_id}/{number}", str(number)
        callback = Callback(job_id=job_id, extra={"word": number}, **named)
        words.append(Word(number=number, run=place, sent=moment, callback=callback))
    return tuple(words)


def _is_first_or_last(said: Mapping[str, Any]) -> bool:
    return said.get("status") == "failed" or ("status" in said and "step" not in said)


def _skews(clocks: Clocks, chance: random.Random) -> tuple[int, int]:
    """Return by how many seconds the clocks of the CI host and of the machine are ahead."""
    wrong = chance.choice((-7200, -5400, -600, 45, 600, 7200))
    match clocks:
        case "skewed":
            return wrong, wrong
        case "mixed":
            return 0, wrong
        case _:
            return 0, 0


def _spoken(
    run: Run, chance: random.Random
) -> list[tuple[float, int, tuple[tuple[str, Any], ...]]]:
    """Return when, on which host (0 the CI's, 1 the machine) and what a run says."""
    said: list[tuple[float, int, dict[str, Any]]] = []
    if run.removes:
        said.append((run.begins - 1, 0, {"status": "stopped", "server_id": run.removes.id}))
    if run.announces:
        said.append((run.begins, 0, {"status": "provisioning"}))
    span = run.ends - run.begins
    for place in range(run.from_step, run.steps):
        moment = run.begins + span * (place + 1) / (len(STEPS) + 1.5)
        fields = {"status": "provisioning", "step": STEPS[place]}
        if run.names_machine and place == 0:
            fields |= {"server_id": run.machine.id}
        said.append((moment, 1, fields))
    if run.beats:
        # The loop in the background may outlive the last word by a beat or two.
        last = run.ends + (0 if run.end == "killed" else BEAT_SECONDS * chance.randint(0, 2))
        moment = run.begins + 5 + chance.random() * BEAT_SECONDS
        while moment < last:
            said.append((moment, 1, {"type": "heartbeat"}))
            moment += BEAT_SECONDS
    if run.end == "running":
        fields = {"status": "running", **(run.machine.fields if run.names_machine else {})}
        said.append((run.ends, 1, fields))
    elif run.end == "failed":
        fields = {
            "status": "failed",
            "step": "provision",
            "failed_step": "provision",
            "error": f"error of run {run.place}",
        }
        if run.names_machine and run.steps > run.from_step:
            fields |= {"server_id": run.machine.id}
        said.append((run.ends, 0, fields))
    return [(moment, host, tuple(fields.items())) for moment, host, fields in said]

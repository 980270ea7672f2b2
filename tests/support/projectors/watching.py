"""Watches over deadlines that were there all the time, and watches that were not."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from projections.reactions.deadlines import DeadlineWatch, noted
from projections.read_model.contract import NOTE_OF_DEADLINES
from tests.support.stores.deployment import Deployment


def watch_over(made: Deployment, milepost: Any = None) -> DeadlineWatch:
    """Return a watch of a projector that has just become active."""
    watch = DeadlineWatch(
        milepost or made.milepost, made.read_model, made.workflows, made.clock.passed
    )
    watch.begin()
    return watch


def attentive(made: Deployment, milepost: Any = None) -> DeadlineWatch:
    """Return a watch that goes on from a last look just now: nobody was away until now."""
    note = noted(made.read_model)
    presence = msgspec.structs.replace(note.presence, seen_at=made.milepost.store.now())
    looked = msgspec.structs.replace(note, presence=presence)
    made.read_model.keep_note(NOTE_OF_DEADLINES, msgspec.json.encode(looked).decode())
    return watch_over(made, milepost)


class AlwaysThere:
    """What steps of an attentive watch do, however much time passed between them."""

    def __init__(self, made: Deployment) -> None:
        self._made = made
        watch_over(made)  # at the first start of this release

    def step(self) -> float:
        """Take one step."""
        return attentive(self._made).step()


def queue(made: Deployment, job_id: str, workflow: str = "vm@1") -> None:
    made.milepost.queue(QueueJob(job_id=job_id, agent_id=f"of-{job_id}", workflow=workflow))


def heartbeat(made: Deployment, job_id: str) -> None:
    made.milepost.record(Callback(job_id=job_id, type="heartbeat"))


def status(made: Deployment, job_id: str) -> str:
    return made.milepost.find(job_id).attempt.status

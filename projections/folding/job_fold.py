"""Folding both views of a job together: for the projector, for a rebuild, and for comparing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from domain.log.mapper import JobEventMapper, decoded
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from projections.folding.fold import begin, fold
from projections.folding.rows import instance_row, timeline_row
from projections.folding.snapshots import EVERY, due, taken
from projections.read_model.contract import Changes, InstanceRow, Row, SetAside, ViewSnapshot
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

log = logging.getLogger("milepost.projector")

Folded: TypeAlias = tuple[Instance, Timeline]


class New:
    """What folding has come to and is not written yet: states by job, and what goes with them."""

    def __init__(self) -> None:
        self.states: dict[str, Folded] = {}
        self.set_aside: list[SetAside] = []
        self.snapshots: list[ViewSnapshot] = []


class JobFold:
    """Folds a job's events into both views, each event read once."""

    def __init__(
        self, mapper: JobEventMapper, workflows: Workflows, snapshot_every: int = EVERY
    ) -> None:
        self.views = Views(mapper.cipher)
        self.snapshot_every = snapshot_every
        self._mapper = mapper
        self._workflows = workflows

    def beginning(self, job_id: str) -> Folded:
        """Return the states before a job's first event."""
        return Instance(job_id), Timeline(job_id)

    def loaded(
        self,
        job_id: str,
        instance: str | None,
        timeline: str | None,
        history: Callable[[str], Iterable[Stored]],
        set_aside: list[SetAside],
    ) -> Folded:
        """Return the states of two documents; `history` is read where one cannot be."""
        return (
            begin(self.views.instance, job_id, instance, self._mapper, history, set_aside),
            begin(self.views.timeline, job_id, timeline, self._mapper, history, set_aside),
        )

    def folded(self, states: Folded, events: Iterable[Stored], set_aside: list[SetAside]) -> Folded:
        """Fold events of the job that come after the states."""
        instance, timeline = states
        read = decoded(events, self._mapper)
        return (
            fold(self.views.instance, instance, read, set_aside),
            fold(self.views.timeline, timeline, read, set_aside),
        )

    def rows(self, states: Folded) -> tuple[InstanceRow, Row]:
        """Return what is stored of a job."""
        instance, timeline = states
        return (
            instance_row(instance, self.views, self._workflows),
            timeline_row(timeline, self.views),
        )

    def snapshots(self, before: Folded, after: Folded) -> list[ViewSnapshot]:
        """Return the views as they are to be kept, if a version went by at which that is due."""
        if not due(before[0], after[0], self.snapshot_every):
            return []
        return taken(self.views, *after)

    def changes(self, since: int, position: int, new: New, generation: int) -> Changes:
        """Return what is to be written, and say what was set aside."""
        # What no view can read is told once.
        once = {(event.position, event.error): event for event in reversed(new.set_aside)}
        told = sorted(once.values(), key=lambda event: event.position)
        for event in told:
            log.error("set aside %s: %s", event.view, event)
        rows = [self.rows(states) for states in new.states.values()]
        return Changes(
            since,
            position,
            [instance for instance, _ in rows],
            [timeline for _, timeline in rows],
            told,
            snapshots=new.snapshots,
            generation=generation,
        )

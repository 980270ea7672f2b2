"""Folding both views of a job together, for the projector and for a rebuild."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from domain.job.runs.machines import machines_in_use, may_use_others
from domain.job.runs.state import Runs
from domain.log.mapper import JobEventMapper, decoded
from domain.log.stored import Stored
from domain.workflows.definition import Workflows
from projections.folding.fold import History, begin, fold_one
from projections.folding.rows import instance_row, timeline_row
from projections.folding.snapshots import EVERY, due, snapshots_of
from projections.read_model.machines import MachineRow, machine_rows
from projections.read_model.rows import Changes, InstanceRow, Row, SetAside, ViewSnapshot
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

log = logging.getLogger("milepost.projector")

Folded: TypeAlias = tuple[Instance, Timeline]


NO_RUNS: Final = Runs()


class New:
    """Folded states by job, set-aside events and snapshots, which are not written yet.

    `runs_before` has the runs of the jobs as they are written. Of the jobs in `unreadable`, what is
    written is not known: their rows could not be read, and their whole history was folded.
    """

    def __init__(self) -> None:
        self.states: dict[str, Folded] = {}
        self.runs_before: dict[str, Runs] = {}
        self.unreadable: set[str] = set()
        self.set_aside: list[SetAside] = []
        self.snapshots: list[ViewSnapshot] = []


class JobFold:
    """Folds a job's events into both views, and decodes each event once."""

    def __init__(
        self, mapper: JobEventMapper, workflows: Workflows, snapshot_every: int = EVERY
    ) -> None:
        self.views = Views(mapper.cipher)
        self.snapshot_every = snapshot_every
        self._mapper = mapper
        self._workflows = workflows

    def beginning(self, job_id: str) -> Folded:
        """Return the states before a job's first event."""
        first = Instance(job_id)
        return first, Timeline(job_id, runs=first.runs)

    def loaded(
        self,
        job_id: str,
        instance: str | None,
        timeline: str | None,
        history: History,
        set_aside: list[SetAside],
    ) -> Folded:
        """Return the states of two documents; fold the `history` if a document cannot be read."""
        begun = begin(self.views.instance, job_id, instance, self._mapper, history, set_aside)
        other = begin(self.views.timeline, job_id, timeline, self._mapper, history, set_aside)
        if other.runs == begun.runs:
            # Held in memory once; and what `folded` does to them is then done once.
            other = msgspec.structs.replace(other, runs=begun.runs)
        return begun, other

    def folded(self, states: Folded, events: Iterable[Stored], set_aside: list[SetAside]) -> Folded:
        """Fold events of the job that come after the states."""
        instance, timeline = states
        instances, timelines = self.views.instance, self.views.timeline
        for stored, event in decoded(events, self._mapper):
            # Both views fold the same runs, one after the other: see `domain.job.runs.evolve`.
            instance = fold_one(instances, instance, stored, event, set_aside)
            timeline = fold_one(timelines, timeline, stored, event, set_aside)
        return instance, timeline

    def rows(self, states: Folded) -> tuple[InstanceRow, Row]:
        """Return the rows of a job."""
        instance, timeline = states
        return (
            instance_row(instance, self.views, self._workflows),
            timeline_row(timeline, self.views),
        )

    def snapshots(self, before: Folded, after: Folded) -> list[ViewSnapshot]:
        """Return snapshots of both views if one was due between the states; else none."""
        if not due(before[0], after[0], self.snapshot_every):
            return []
        return snapshots_of(self.views, *after)

    def changes(self, since: int, position: int, new: New, generation: int) -> Changes:
        """Return the changes to write; log each event that was set aside."""
        # An event that neither view can fold has two errors alike: log and store it once.
        once = {(event.position, event.error): event for event in reversed(new.set_aside)}
        set_aside = sorted(once.values(), key=lambda event: event.position)
        for event in set_aside:
            log.error("set aside %s: %s", event.view, event)
        rows = [self.rows(states) for states in new.states.values()]
        given_up, machines = _machines_changed(new)
        return Changes(
            since,
            position,
            [instance for instance, _ in rows],
            [timeline for _, timeline in rows],
            set_aside,
            snapshots=new.snapshots,
            generation=generation,
            machines=machines,
            machines_given_up=given_up,
            machines_anew=sorted(new.unreadable),
        )


def _machines_changed(new: New) -> tuple[list[MachineRow], list[MachineRow]]:
    """Return the rows to delete, of machines that jobs gave up, and those to add, of new ones."""
    given_up, machines = list[MachineRow](), list[MachineRow]()
    for job_id, (instance, _) in new.states.items():
        runs = NO_RUNS if job_id in new.unreadable else new.runs_before.get(job_id, NO_RUNS)
        if may_use_others(runs, instance.runs):
            before, after = machines_in_use(runs), machines_in_use(instance.runs)
            given_up += machine_rows(job_id, before - after)
            machines += machine_rows(job_id, after - before)
    return given_up, machines

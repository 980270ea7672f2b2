"""The rows of the views, and what one batch of events changes in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from projections.read_model.machines import MachineRow


class Row(msgspec.Struct, frozen=True, gc=False):
    """A view's document about one job, as of that job's version."""

    job_id: str
    version: int
    document: str


class InstanceRow(msgspec.Struct, frozen=True, gc=False):
    """The instance's document, and the columns that queries select and sort by.

    `due_at` is when the job is given up. `unresponsive_at` is when it counts as unresponsive; None
    while no heartbeat is expected. `look_at` is not later than both, and changes seldom, because it
    is indexed. From `attention_from` on, the job may need somebody; an `attention_rank` of 0 is the
    worst reason. `workflow` is empty for a job that names none: an index over it has an order that
    one over NULL lacks.
    """

    job_id: str
    version: int
    document: str
    first_position: int
    agent_id: str | None
    user_id: str | None
    status: str
    current_step: str | None
    due_at: datetime | None = None
    unresponsive_at: datetime | None = None
    look_at: datetime | None = None
    attention_rank: int | None = None
    attention_from: datetime | None = None
    workflow: str = ""


TIMES = ("due_at", "unresponsive_at", "look_at", "attention_from")
"""The columns of instances that are times."""


class DueRow(msgspec.Struct, frozen=True, gc=False):
    """An instance that is due, and its `look_at`."""

    job_id: str
    version: int
    document: str
    look_at: datetime


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """An event that could not be folded, and why."""

    position: int
    job_id: str
    version: int
    topic: str
    error: str
    view: str = "instances"


class ViewSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A view's document about one job as it was at an earlier version.

    All events up to that version were recorded by `recorded_at`.
    """

    job_id: str
    view: str
    version: int
    recorded_at: datetime
    document: str


class Changes(msgspec.Struct, frozen=True):
    """What one batch of events changes; it starts from the position `since`.

    Events that were set aside, snapshots and machines of the jobs in `tried_again` are deleted
    before `set_aside`, `snapshots` and `machines` are added; so are the `machines_given_up`, and
    all machines of the jobs in `machines_anew`. `generation` is that of the rows when folding
    began.
    """

    since: int
    position: int
    instances: Sequence[InstanceRow] = ()
    timelines: Sequence[Row] = ()
    set_aside: Sequence[SetAside] = ()
    tried_again: Sequence[str] = ()
    snapshots: Sequence[ViewSnapshot] = ()
    generation: int = 0
    machines: Sequence[MachineRow] = ()
    machines_given_up: Sequence[MachineRow] = ()
    machines_anew: Sequence[str] = ()


class Edition(msgspec.Struct, frozen=True):
    """The identity of rows: their shape, and a generation number that no earlier tables had."""

    shape: str
    generation: int

    def is_older_than(self, shape: str) -> bool:
        """Tell whether an older release made the rows than the one with this shape."""
        return int(self.shape) < int(shape)

"""The read model in SQLite, put together from its parts."""

from __future__ import annotations

from typing import ClassVar

from projections.read_model.sqlite.applying import Applying
from projections.read_model.sqlite.deadlines import Deadlines
from projections.read_model.sqlite.editions import Editions
from projections.read_model.sqlite.history import History
from projections.read_model.sqlite.listing import Lists
from projections.read_model.sqlite.machines import Machines
from projections.read_model.sqlite.notes import Notes
from projections.read_model.sqlite.schema import PART
from projections.read_model.sqlite.sighting import Sightings
from projections.read_model.sqlite.waking import Waking


class SQLiteReadModel(
    Editions, Applying, Sightings, History, Lists, Machines, Deadlines, Notes, Waking
):
    """Store rows beside the events; with `rebuilt`, in the tables of a rebuild."""

    part: ClassVar = PART

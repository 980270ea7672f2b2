"""The read model in PostgreSQL, put together from its parts."""

from __future__ import annotations

from typing import ClassVar

from projections.read_model.postgres.applying import Applying
from projections.read_model.postgres.deadlines import Deadlines
from projections.read_model.postgres.editions import Editions
from projections.read_model.postgres.history import History
from projections.read_model.postgres.listing import Lists
from projections.read_model.postgres.machines import Machines
from projections.read_model.postgres.notes import Notes
from projections.read_model.postgres.schema import PART
from projections.read_model.postgres.sighting import Sightings
from projections.read_model.postgres.waking import Waking


class PostgresReadModel(
    Editions, Applying, Sightings, History, Lists, Machines, Deadlines, Notes, Waking
):
    """Store rows beside the events; with `rebuilt`, in the tables of a rebuild."""

    part: ClassVar = PART

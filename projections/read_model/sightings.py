"""A job's row with the events that the row has not folded yet: a read that is never stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from domain.log.stored import Stored


class Sighting(msgspec.Struct, frozen=True):
    """A job's row, if it has one, and the job's events that the row has not folded yet."""

    job_id: str
    document: str | None
    tail: Sequence[Stored]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Sighting:
        """Make a sighting of the rows of one statement: a row per event, or one without an event.

        The columns are the job's id and document, and the event's version, topic, state and
        position.
        """
        job_id, document = rows[0][:2]
        tail = [
            Stored(position, job_id, version, topic, state)
            for _, _, version, topic, state, position in rows
            if version is not None
        ]
        return cls(job_id, document, tail)


def sightings(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Sighting | None]:
    """Put together what one statement found for several names, None for a name without rows.

    Each row has its name first, and then what `Sighting.of` takes.
    """
    by_name: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).append(row[1:])
    return [Sighting.of(by_name[name]) if name in by_name else None for name in names]

"""A job's row with the events that the row has not folded yet: a read that is never stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from domain.log.stored import Stored

MAX_SIGHTED = 100
"""A sighting has at most this many events: a row is seldom behind by more."""
MAX_SIGHTED_BYTES = 4_096
"""A sighting ends before an event with a longer state; few callbacks are as long."""


class Sighting(msgspec.Struct, frozen=True):
    """A job's row, if it has one, and the job's events that the row has not folded yet.

    If `more` is true, further events may follow in the log. So 256 sightings in one statement fit
    into memory.
    """

    job_id: str
    document: str | None
    tail: Sequence[Stored]
    more: bool = False

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Sighting:
        """Make a sighting of the rows of one statement: a row per event, or one without an event.

        The columns are the job's id and document, and the event's version, topic, state and
        position. The first row alone has the document. The state is None if it is longer than
        `MAX_SIGHTED_BYTES`.
        """
        job_id, document = rows[0][:2]
        tail: list[Stored] = []
        for _, _, version, topic, state, position in rows:
            if version is None:
                break
            if state is None:
                return cls(job_id, document, tail, more=True)
            tail.append(Stored(position, job_id, version, topic, state))
        return cls(job_id, document, tail, more=len(tail) >= MAX_SIGHTED)


def sightings(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Sighting | None]:
    """Put together what one statement found for several names, None for a name without rows.

    Each row has its name first, and then what `Sighting.of` takes.
    """
    by_name: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).append(row[1:])
    return [Sighting.of(by_name[name]) if name in by_name else None for name in names]

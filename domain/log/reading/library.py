"""The reading methods that the eventsourcing library requires of a recorder.

They answer from Milepost's own reads of the log. Only the library calls them, so no other code
needs the library's types of stored events.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import chain
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from domain.log.reading.contract import NEWEST, pages_of
from domain.log.stored import Stored

BEFORE_ALL = -1
"""Below every version: some of the library's aggregates begin with version 0."""


class LibraryReads:
    """A recorder's reading methods; unlike the library's own, they do not try ten times."""

    @abstractmethod
    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """See `Log.events`."""

    @abstractmethod
    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Log.history`."""

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events in order of position."""
        after = (start or 0) - (1 if inclusive_of_start else 0)
        return [
            Notification(job_id, version, topic, state, id=position)
            for position, job_id, version, topic, state in self.events(
                after, limit, NEWEST if stop is None else stop, topics
            )
        ]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return a job's events in order of version, or from the newest down."""
        most = NEWEST if limit is None else limit
        pages = pages_of(
            self.history,
            str(originator_id),
            BEFORE_ALL if gt is None else gt,
            NEWEST if lte is None else lte,
        )
        history = list(chain.from_iterable(pages))
        ordered = (history[::-1] if desc else history)[:most]
        return [StoredEvent(e.job_id, e.version, e.topic, e.state) for e in ordered]

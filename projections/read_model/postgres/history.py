"""What was: snapshots of earlier versions, and the events of a user's jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from domain.log.reading.postgres import within_bytes
from domain.log.stored import Stored
from projections.read_model.postgres.statements import Statements, of_shape
from projections.read_model.rows import ViewSnapshot

SELECT_SNAPSHOT: LiteralString = """
    SELECT job_id, view, version, recorded_at, document FROM milepost_view_snapshots
     WHERE job_id = %s AND view = %s AND version <= %s
       AND (%s::timestamptz IS NULL OR recorded_at <= %s)
       AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = '{shape}'
     ORDER BY version DESC LIMIT 1
"""
# The + 0 forbids the index on positions: the user's jobs have fewer events than the whole log.
SELECT_EVENTS_OF = within_bytes(
    """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state
      FROM milepost_read_model AS reached
     CROSS JOIN LATERAL (SELECT job_id FROM milepost_instances WHERE user_id = %s OFFSET 0) AS own
     CROSS JOIN LATERAL (
           SELECT originator_id, originator_version, topic, state, notification_id
             FROM milepost_events
            WHERE originator_id = own.job_id AND notification_id + 0 > %s
              AND notification_id + 0 <= reached.position
            ORDER BY originator_version LIMIT %s) AS e
     WHERE reached.tables = 'served'
     ORDER BY e.notification_id LIMIT %s
    """,
    "notification_id",
)


class History(Statements):
    """Read what was."""

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """See `ReadModel.snapshot`."""
        statement = of_shape(SELECT_SNAPSHOT, self.shape)
        for row in self._rows(statement, job_id, view, until, recorded_by, recorded_by):
            return ViewSnapshot(**row)
        return None

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """See `ReadModel.events_of`."""
        return self._datastore.stored(SELECT_EVENTS_OF, (user_id, after, limit, limit))

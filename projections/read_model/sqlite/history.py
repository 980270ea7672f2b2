"""What was: snapshots of earlier versions, and the events of a user's jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.log.parameters import utc_text
from domain.log.reading.sqlite import STORED
from domain.log.stored import Stored
from projections.read_model.rows import ViewSnapshot
from projections.read_model.sqlite.statements import Statements

SELECT_SNAPSHOT = """
    SELECT version, recorded_at, document FROM milepost_view_snapshots
     WHERE job_id = ? AND view = ? AND version <= ? AND (? IS NULL OR recorded_at <= ?)
       AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = ?
     ORDER BY version DESC LIMIT 1
"""
# The + forbids the index on positions: the user's jobs have fewer events than the whole log.
SELECT_EVENTS_OF = f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id IN (
           SELECT e.notification_id
             FROM milepost_instances AS own
            CROSS JOIN milepost_events AS e ON e.originator_id = own.job_id
            WHERE own.user_id = ? AND +e.notification_id > ?
              AND +e.notification_id <= (
                   SELECT position FROM milepost_read_model WHERE tables = 'served')
            ORDER BY e.notification_id LIMIT ?)
     ORDER BY notification_id
"""


class History(Statements):
    """Read what was."""

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """See `ReadModel.snapshot`."""
        latest = utc_text(recorded_by) if recorded_by else None
        for row in self._rows(SELECT_SNAPSHOT, job_id, view, until, latest, latest, self.shape):
            version, recorded_at, document = row
            return ViewSnapshot(
                job_id, view, version, datetime.fromisoformat(recorded_at), document
            )
        return None

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """See `ReadModel.events_of`."""
        return self._datastore.stored(SELECT_EVENTS_OF, (user_id, after, limit))

"""Which jobs are due, and how many are silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.log.parameters import utc_text
from projections.read_model.rows import DueRow
from projections.read_model.sqlite.statements import Statements

# In the order of the index, so that reading ends with the last wanted row. A job that has ended has
# no look_at, and that of a job that is alive is in the future.
SELECT_DUE = """
    SELECT job_id, version, document, look_at FROM milepost_instances
     WHERE look_at < ? AND due_at < ? AND (look_at, job_id) > (?, ?)
     ORDER BY look_at, job_id LIMIT ?
"""
SELECT_PROVISIONING = (
    "SELECT COUNT(*) AS count FROM milepost_instances WHERE status = 'provisioning'"
)
SELECT_SILENT = """
    SELECT COUNT(*) AS count FROM milepost_instances
     WHERE look_at <= ? AND unresponsive_at <= ? AND (? IS NULL OR unresponsive_at > ?)
"""


class Deadlines(Statements):
    """Find what is due by an index."""

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """See `ReadModel.due`."""
        place = (utc_text(after.look_at), after.job_id) if after else ("", "")
        until = utc_text(before)
        return self._first(_due, SELECT_DUE, until, until, *place, limit)

    def provisioning(self) -> int:
        """See `ReadModel.provisioning`."""
        return int(self._rows(SELECT_PROVISIONING)[0]["count"])

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """See `ReadModel.silent`."""
        before, after = utc_text(until), utc_text(since) if since else None
        return int(self._rows(SELECT_SILENT, before, before, after, after)[0]["count"])


def _due(job_id: str, version: int, document: str, look_at: str) -> DueRow:
    return DueRow(job_id, version, document, datetime.fromisoformat(look_at))

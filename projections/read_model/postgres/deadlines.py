"""Which jobs are due, and how many are silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from projections.read_model.postgres.statements import Statements, within_bytes
from projections.read_model.rows import DueRow

# In the order of the index, so that reading ends with the last wanted row. A job that has ended has
# no look_at, and that of a job that is alive is in the future.
SELECT_DUE: LiteralString = """
    SELECT job_id, version, document, look_at FROM milepost_instances
     WHERE look_at < %s AND due_at < %s AND (look_at, job_id) > (%s::timestamptz, %s)
     ORDER BY look_at, job_id LIMIT %s
"""
FIRST_DUE = within_bytes(SELECT_DUE, "job_id, version, document, look_at", "look_at, job_id")
SELECT_PROVISIONING = (
    "SELECT COUNT(*) AS count FROM milepost_instances WHERE status = 'provisioning'"
)
SELECT_SILENT = """
    SELECT COUNT(*) AS count FROM milepost_instances
     WHERE look_at <= %s AND unresponsive_at <= %s
       AND (%s::timestamptz IS NULL OR unresponsive_at > %s)
"""


class Deadlines(Statements):
    """Find what is due by an index."""

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """See `ReadModel.due`."""
        place = (after.look_at.isoformat(), after.job_id) if after else ("-infinity", "")
        return self._first(DueRow, FIRST_DUE, before, before, *place, limit)

    def provisioning(self) -> int:
        """See `ReadModel.provisioning`."""
        return int(self._rows(SELECT_PROVISIONING)[0]["count"])

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """See `ReadModel.silent`."""
        return int(self._rows(SELECT_SILENT, until, until, since, since)[0]["count"])

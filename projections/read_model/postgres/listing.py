"""Lists of jobs, what needs somebody among them, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.postgres.statements import Statements, within_bytes
from projections.read_model.rows import Row

SELECT_INSTANCES: LiteralString = """
    SELECT job_id, version, document, first_position FROM milepost_instances
     WHERE {filters} ORDER BY first_position DESC LIMIT %s
"""
COLUMNS: LiteralString = "job_id, version, document"
FILTERS: dict[str, LiteralString] = {
    "agent_id": "agent_id = %s",
    "user_id": "user_id = %s",
    "status": "status = %s",
    "before": "first_position < %s",
}
# The end of a range: PostgreSQL might look for an equal workflow from the newest job of all on,
# and a rare workflow may be in none of a million.
SELECT_LAST_RUN: LiteralString = """
    SELECT job_id, version, document FROM (
           SELECT job_id, version, document, workflow FROM milepost_instances
            WHERE (workflow, first_position) <= (%s, 9223372036854775807)
            ORDER BY workflow DESC, first_position DESC LIMIT 1) AS last
     WHERE workflow = %s
"""
COUNT_INSTANCES: LiteralString = """
    SELECT COUNT(*) AS count
      FROM (SELECT 1 FROM milepost_instances WHERE {filters} LIMIT %s) AS found
"""
SELECT_COUNTS = "SELECT status, COUNT(*) AS count FROM milepost_instances GROUP BY status"
SELECT_ATTENTION: LiteralString = """
    SELECT job_id, version, document, attention_rank, first_position FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= %s AND {filters}
     ORDER BY attention_rank, first_position LIMIT %s
"""
AFTER: LiteralString = "(attention_rank, first_position) > (%s, %s)"
COUNT_ATTENTION: LiteralString = """
    SELECT attention_rank, COUNT(*) AS count FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= %s GROUP BY attention_rank
"""


class Lists(Statements):
    """List jobs and count them."""

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """See `ReadModel.instances`."""
        found, parameters = _filtered(SELECT_INSTANCES, wanted)
        statement = within_bytes(found, COLUMNS, "first_position DESC")
        return self._first(Row, statement, *parameters)

    def count(self, wanted: JobFilter) -> int:
        """See `ReadModel.count`."""
        statement, parameters = _filtered(COUNT_INSTANCES, wanted)
        return int(self._rows(statement, *parameters)[0]["count"])

    def last_run(self, workflow: str) -> Row | None:
        """See `ReadModel.last_run`."""
        rows = self._rows(SELECT_LAST_RUN, workflow, workflow)
        return Row(**rows[0]) if rows else None

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """See `ReadModel.attention`."""
        names = ("agent_id", "user_id", "status")
        given = {name: value for name in names if (value := getattr(wanted, name)) is not None}
        filters = " AND ".join(
            [FILTERS[name] for name in given] + ([AFTER] if wanted.after else [])
        )
        parameters = (wanted.now, *given.values(), *(wanted.after or ()), wanted.limit)
        return self._first(Row, first_of_attention(filters or "TRUE"), *parameters)

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """See `ReadModel.attention_counts`."""
        rows = self._rows(COUNT_ATTENTION, now)
        return {row["attention_rank"]: row["count"] for row in rows}

    def counts(self) -> Mapping[str, int]:
        """See `ReadModel.counts`."""
        return {row["status"]: row["count"] for row in self._rows(SELECT_COUNTS)}


def first_of_attention(filters: LiteralString = "TRUE") -> LiteralString:
    """Return the statement of the first jobs that need somebody, within the bound of a read."""
    statement = SELECT_ATTENTION.format(filters=filters)
    return within_bytes(statement, COLUMNS, "attention_rank, first_position")


def _filtered(statement: LiteralString, wanted: JobFilter) -> tuple[LiteralString, tuple[Any, ...]]:
    given = {name: value for name in FILTERS if (value := getattr(wanted, name)) is not None}
    filters = " AND ".join(FILTERS[name] for name in given) or "TRUE"
    return statement.format(filters=filters), (*given.values(), wanted.limit)

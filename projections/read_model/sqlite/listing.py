"""Lists of jobs, what needs somebody among them, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from domain.log.parameters import utc_text
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.rows import Row
from projections.read_model.sqlite.statements import Statements

SELECT_INSTANCES: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE {filters} ORDER BY first_position DESC LIMIT ?
"""
FILTERS: dict[str, LiteralString] = {
    "agent_id": "agent_id = ?",
    "user_id": "user_id = ?",
    "status": "status = ?",
    "before": "first_position < ?",
}
# The end of a range: PostgreSQL might look for an equal workflow from the newest job of all on,
# and a rare workflow may be in none of a million.
SELECT_LAST_RUN: LiteralString = """
    SELECT job_id, version, document FROM (
           SELECT job_id, version, document, workflow FROM milepost_instances
            WHERE (workflow, first_position) <= (?, 9223372036854775807)
            ORDER BY workflow DESC, first_position DESC LIMIT 1) AS last
     WHERE workflow = ?
"""
COUNT_INSTANCES: LiteralString = """
    SELECT COUNT(*) AS count
      FROM (SELECT 1 FROM milepost_instances WHERE {filters} LIMIT ?) AS found
"""
SELECT_COUNTS = "SELECT status, COUNT(*) AS count FROM milepost_instances GROUP BY status"
SELECT_ATTENTION: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= ? AND {filters}
     ORDER BY attention_rank, first_position LIMIT ?
"""
AFTER: LiteralString = "(attention_rank, first_position) > (?, ?)"
COUNT_ATTENTION: LiteralString = """
    SELECT attention_rank, COUNT(*) AS count FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= ? GROUP BY attention_rank
"""


class Lists(Statements):
    """List jobs and count them."""

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """See `ReadModel.instances`."""
        statement, parameters = _filtered(SELECT_INSTANCES, wanted)
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
        statement = SELECT_ATTENTION.format(filters=filters or "TRUE")
        parameters = (utc_text(wanted.now), *given.values(), *(wanted.after or ()), wanted.limit)
        return self._first(Row, statement, *parameters)

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """See `ReadModel.attention_counts`."""
        rows = self._rows(COUNT_ATTENTION, utc_text(now))
        return {row["attention_rank"]: row["count"] for row in rows}

    def counts(self) -> Mapping[str, int]:
        """See `ReadModel.counts`."""
        return {row["status"]: row["count"] for row in self._rows(SELECT_COUNTS)}


def _filtered(statement: LiteralString, wanted: JobFilter) -> tuple[LiteralString, tuple[Any, ...]]:
    given = {name: value for name in FILTERS if (value := getattr(wanted, name)) is not None}
    filters = " AND ".join(FILTERS[name] for name in given) or "TRUE"
    return statement.format(filters=filters), (*given.values(), wanted.limit)

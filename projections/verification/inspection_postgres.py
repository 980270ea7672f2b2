"""Reading the PostgreSQL database to verify it; its twin is `inspection_sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from domain.postgres import PostgresRecorder, as_json
from domain.postgres_datastore import PostgresDatastore
from projections.tree import Stored, Tile
from projections.tree_postgres import STORED
from projections.verification.inspection import KeptRow, KeptTile, PointlessKey, utc_text

SELECT_HISTORIES: LiteralString = f"""
    SELECT {STORED} FROM milepost_events
     WHERE (originator_id, originator_version) > (%s, %s)
     ORDER BY originator_id, originator_version LIMIT %s
"""
SELECT_TILES = """
    SELECT level, tile, hashes, positions, first_position, last_position
      FROM milepost_tree WHERE level = %s AND tile >= %s ORDER BY tile LIMIT %s
"""
COLUMNS: dict[str, LiteralString] = {
    "instances": """kept.document, kept.version, kept.first_position, kept.agent_id,
           kept.user_id, kept.status, kept.current_step, kept.silent_since""",
    "timelines": "kept.document, kept.version",
}
SELECT_ROWS: dict[str, LiteralString] = {
    "instances": f"""
        SELECT kept.job_id, {COLUMNS["instances"]}
          FROM json_array_elements_text(%s::json) AS wanted (job_id)
         CROSS JOIN LATERAL (
               SELECT * FROM milepost_instances WHERE job_id = wanted.job_id OFFSET 0) AS kept
    """,
    "timelines": f"""
        SELECT kept.job_id, {COLUMNS["timelines"]}
          FROM json_array_elements_text(%s::json) AS wanted (job_id)
         CROSS JOIN LATERAL (
               SELECT * FROM milepost_timelines WHERE job_id = wanted.job_id OFFSET 0) AS kept
    """,
}
SELECT_WITHOUT_EVENTS: dict[str, LiteralString] = {
    "instances": f"""
        SELECT kept.job_id, {COLUMNS["instances"]} FROM milepost_instances AS kept
         WHERE kept.job_id > %s
           AND NOT EXISTS (SELECT FROM milepost_events WHERE originator_id = kept.job_id OFFSET 0)
         ORDER BY kept.job_id LIMIT %s
    """,
    "timelines": f"""
        SELECT kept.job_id, {COLUMNS["timelines"]} FROM milepost_timelines AS kept
         WHERE kept.job_id > %s
           AND NOT EXISTS (SELECT FROM milepost_events WHERE originator_id = kept.job_id OFFSET 0)
         ORDER BY kept.job_id LIMIT %s
    """,
}
SELECT_SET_ASIDE = """
    SELECT position, view FROM milepost_set_aside
     WHERE job_id IN (SELECT json_array_elements_text(%s::json))
"""
SELECT_POINTLESS = """
    SELECT name, job_id, version FROM milepost_keys AS key
     WHERE name > %s
       AND NOT EXISTS (SELECT FROM milepost_events
                        WHERE originator_id = key.job_id AND originator_version = key.version
                       OFFSET 0)
     ORDER BY name LIMIT %s
"""


class PostgresInspection:
    """Read what the database has."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._datastore: PostgresDatastore = recorder.datastore

    def histories(self, after: tuple[str, int], limit: int) -> Sequence[Stored]:
        """See `Inspection.histories`."""
        return list(map(Stored._make, self._datastore.tuples(SELECT_HISTORIES, (*after, limit))))

    def tiles(self, level: int, first: int, limit: int) -> Sequence[KeptTile]:
        """See `Inspection.tiles`."""
        rows = self._datastore.tuples(SELECT_TILES, (level, first, limit))
        return [KeptTile(Tile(*row[:4]), *row[4:]) for row in rows]

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, KeptRow]:
        """See `Inspection.rows`."""
        return _kept(self._datastore.rows(SELECT_ROWS[view], (as_json(list(job_ids)),)))

    def set_aside(self, job_ids: Collection[str]) -> Collection[tuple[int, str]]:
        """See `Inspection.set_aside`."""
        rows = self._datastore.rows(SELECT_SET_ASIDE, (as_json(list(job_ids)),))
        return {(row["position"], row["view"]) for row in rows}

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, KeptRow]:
        """See `Inspection.rows_without_events`."""
        return _kept(self._datastore.rows(SELECT_WITHOUT_EVENTS[view], (after, limit)))

    def keys_without_events(self, after: str, limit: int) -> Sequence[PointlessKey]:
        """See `Inspection.keys_without_events`."""
        rows = self._datastore.rows(SELECT_POINTLESS, (after, limit))
        return [PointlessKey(**row) for row in rows]


def _kept(rows: Sequence[dict[str, Any]]) -> dict[str, KeptRow]:
    found: dict[str, KeptRow] = {}
    for columns in rows:
        silent_since = columns.get("silent_since")
        if isinstance(silent_since, datetime):
            columns["silent_since"] = utc_text(silent_since)
        found[columns.pop("job_id")] = KeptRow(columns.pop("document"), columns)
    return found

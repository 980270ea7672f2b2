"""Reading the PostgreSQL database to verify it; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from domain.log.connections.postgres import PostgresDatastore
from domain.log.parameters import as_json, utc_text
from domain.log.postgres import PostgresRecorder
from domain.log.recalling.snapshots import Snapshot
from projections.read_model.rows import TIMES
from projections.tree.contract import Tile
from projections.verification.inspection.contract import (
    LostSnapshot,
    StoredKey,
    StoredRow,
    StoredSetAside,
    StoredTile,
    StoredViewSnapshot,
)

SELECT_TILES = """
    SELECT level, tile, hashes, positions, first_position, last_position
      FROM milepost_tree WHERE level = %s AND tile >= %s ORDER BY tile LIMIT %s
"""
COLUMNS: dict[str, LiteralString] = {
    "instances": """stored.document, stored.version, stored.first_position, stored.agent_id,
           stored.user_id, stored.status, stored.current_step, stored.due_at,
           stored.unresponsive_at, stored.look_at, stored.attention_rank,
           stored.attention_from, stored.workflow,
           (SELECT string_agg(machine, ',' ORDER BY machine COLLATE "C") FROM (
                   SELECT machine FROM milepost_machines
                    WHERE job_id = stored.job_id OFFSET 0) AS used) AS machines""",
    "timelines": "stored.document, stored.version",
}
SELECT_ROWS: dict[str, LiteralString] = {
    "instances": f"""
        SELECT stored.job_id, {COLUMNS["instances"]}
          FROM json_array_elements_text(%s::json) AS wanted (job_id)
         CROSS JOIN LATERAL (
               SELECT * FROM milepost_instances WHERE job_id = wanted.job_id OFFSET 0) AS stored
    """,
    "timelines": f"""
        SELECT stored.job_id, {COLUMNS["timelines"]}
          FROM json_array_elements_text(%s::json) AS wanted (job_id)
         CROSS JOIN LATERAL (
               SELECT * FROM milepost_timelines WHERE job_id = wanted.job_id OFFSET 0) AS stored
    """,
}
SELECT_WITHOUT_EVENTS: dict[str, LiteralString] = {
    "instances": f"""
        SELECT stored.job_id, {COLUMNS["instances"]} FROM milepost_instances AS stored
         WHERE stored.job_id > %s
           AND NOT EXISTS (SELECT FROM milepost_events WHERE originator_id = stored.job_id OFFSET 0)
         ORDER BY stored.job_id LIMIT %s
    """,
    "timelines": f"""
        SELECT stored.job_id, {COLUMNS["timelines"]} FROM milepost_timelines AS stored
         WHERE stored.job_id > %s
           AND NOT EXISTS (SELECT FROM milepost_events WHERE originator_id = stored.job_id OFFSET 0)
         ORDER BY stored.job_id LIMIT %s
    """,
}
ASIDE: LiteralString = "aside.position, aside.view, aside.job_id, aside.version, aside.topic"
SELECT_SET_ASIDE: LiteralString = f"""
    SELECT {ASIDE} FROM milepost_set_aside AS aside
     CROSS JOIN LATERAL (
           SELECT originator_id, originator_version FROM milepost_events
            WHERE notification_id = aside.position OFFSET 0) AS e
     WHERE aside.job_id IN (SELECT json_array_elements_text(%s::json))
       AND e.originator_id = aside.job_id AND e.originator_version = aside.version
     ORDER BY aside.position, aside.view
"""
SELECT_LOST_ASIDE: LiteralString = f"""
    SELECT {ASIDE} FROM milepost_set_aside AS aside
     WHERE (position, view) > (%s, %s) AND (%s::text IS NULL OR job_id = %s)
       AND NOT EXISTS (SELECT FROM milepost_events
                        WHERE notification_id = aside.position AND originator_id = aside.job_id
                          AND originator_version = aside.version AND topic = aside.topic
                       OFFSET 0)
     ORDER BY position, view LIMIT %s
"""
SELECT_JOBS_WITH_SNAPSHOTS = """
    SELECT wanted.job_id FROM json_array_elements_text(%s::json) AS wanted (job_id)
     WHERE EXISTS (SELECT FROM milepost_view_snapshots WHERE job_id = wanted.job_id OFFSET 0)
"""
# to_char returns NULL for infinity: report a row with infinity too.
SELECT_VIEW_SNAPSHOTS = """
    SELECT job_id, version, view,
           COALESCE(to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
                    recorded_at::text) AS recorded_at,
           document
      FROM milepost_view_snapshots
     WHERE job_id = %s AND (version, view) > (%s, %s) AND version <= %s
     ORDER BY version, view LIMIT %s
"""
SELECT_JOB_SNAPSHOTS = """
    SELECT stored.* FROM json_array_elements_text(%s::json) AS wanted (job_id)
     CROSS JOIN LATERAL (
           SELECT job_id, version, shape, state FROM milepost_snapshots
            WHERE job_id = wanted.job_id OFFSET 0) AS stored
"""
SELECT_LOST_SNAPSHOTS = """
    SELECT job_id, view, version
      FROM (SELECT job_id, view, version FROM milepost_view_snapshots
             UNION ALL
            SELECT job_id, '', version FROM milepost_snapshots) AS stored
     WHERE (job_id, view, version) > (%s, %s, %s) AND (%s::text IS NULL OR job_id = %s)
       AND NOT EXISTS (SELECT FROM milepost_events
                        WHERE originator_id = stored.job_id AND originator_version = stored.version
                       OFFSET 0)
     ORDER BY job_id, view, version LIMIT %s
"""
SELECT_KEYS = """
    SELECT key.name, key.job_id, key.version, key.digest, e.notification_id AS position
      FROM json_array_elements_text(%s::json) AS wanted (name)
     CROSS JOIN LATERAL (SELECT * FROM milepost_keys WHERE name = wanted.name OFFSET 0) AS key
      LEFT JOIN LATERAL (
           SELECT notification_id FROM milepost_events
            WHERE originator_id = key.job_id AND originator_version = key.version
           OFFSET 0) AS e ON true
"""
SELECT_KEYS_WITH_EVENTS = """
    SELECT key.name, key.job_id, key.version, key.digest,
           e.notification_id AS position, e.topic, e.state
      FROM (SELECT * FROM milepost_keys WHERE name > %s ORDER BY name LIMIT %s) AS key
      LEFT JOIN LATERAL (
           SELECT notification_id, topic, state FROM milepost_events
            WHERE originator_id = key.job_id AND originator_version = key.version
           OFFSET 0) AS e ON true
     ORDER BY key.name
"""


class PostgresInspection:
    """Reads a PostgreSQL database for a verification; see `Inspection`."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self.log = recorder
        self._datastore: PostgresDatastore = recorder.datastore

    def tiles(self, level: int, first: int, limit: int) -> Sequence[StoredTile]:
        """See `Inspection.tiles`."""
        rows = self._datastore.tuples(SELECT_TILES, (level, first, limit))
        return [StoredTile(Tile(*row[:4]), *row[4:]) for row in rows]

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, StoredRow]:
        """See `Inspection.rows`."""
        return _by_job(self._datastore.rows(SELECT_ROWS[view], (as_json(list(job_ids)),)))

    def set_aside(self, job_ids: Collection[str]) -> Sequence[StoredSetAside]:
        """See `Inspection.set_aside`."""
        rows = self._datastore.rows(SELECT_SET_ASIDE, (as_json(list(job_ids)),))
        return [StoredSetAside(**row) for row in rows]

    def set_aside_without_events(
        self, after: tuple[int, str], limit: int, job_id: str | None = None
    ) -> Sequence[StoredSetAside]:
        """See `Inspection.set_aside_without_events`."""
        rows = self._datastore.rows(SELECT_LOST_ASIDE, (*after, job_id, job_id, limit))
        return [StoredSetAside(**row) for row in rows]

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, StoredRow]:
        """See `Inspection.rows_without_events`."""
        return _by_job(self._datastore.rows(SELECT_WITHOUT_EVENTS[view], (after, limit)))

    def jobs_with_view_snapshots(self, job_ids: Collection[str]) -> Collection[str]:
        """See `Inspection.jobs_with_view_snapshots`."""
        rows = self._datastore.rows(SELECT_JOBS_WITH_SNAPSHOTS, (as_json(list(job_ids)),))
        return {row["job_id"] for row in rows}

    def view_snapshots(
        self, job_id: str, after: tuple[int, str], upto: int, limit: int
    ) -> Sequence[StoredViewSnapshot]:
        """See `Inspection.view_snapshots`."""
        rows = self._datastore.rows(SELECT_VIEW_SNAPSHOTS, (job_id, *after, upto, limit))
        return [StoredViewSnapshot(**row) for row in rows]

    def job_snapshots(self, job_ids: Collection[str]) -> Sequence[Snapshot]:
        """See `Inspection.job_snapshots`."""
        rows = self._datastore.rows(SELECT_JOB_SNAPSHOTS, (as_json(list(job_ids)),))
        return [Snapshot(**row) for row in rows]

    def snapshots_without_events(
        self, after: tuple[str, str, int], limit: int, job_id: str | None = None
    ) -> Sequence[LostSnapshot]:
        """See `Inspection.snapshots_without_events`."""
        rows = self._datastore.rows(SELECT_LOST_SNAPSHOTS, (*after, job_id, job_id, limit))
        return [LostSnapshot(**row) for row in rows]

    def keys(self, names: Collection[str]) -> Mapping[str, StoredKey]:
        """See `Inspection.keys`."""
        rows = self._datastore.rows(SELECT_KEYS, (as_json(list(names)),))
        return {row["name"]: StoredKey(**row) for row in rows}

    def keys_with_events(self, after: str, limit: int) -> Sequence[StoredKey]:
        """See `Inspection.keys_with_events`."""
        rows = self._datastore.rows(SELECT_KEYS_WITH_EVENTS, (after, limit))
        return [StoredKey(**row) for row in rows]


def _by_job(rows: Sequence[dict[str, Any]]) -> dict[str, StoredRow]:
    by_job: dict[str, StoredRow] = {}
    for columns in rows:
        for name in TIMES:
            if isinstance(time := columns.get(name), datetime):
                columns[name] = utc_text(time)
        by_job[columns.pop("job_id")] = StoredRow(columns.pop("document"), columns)
    return by_job

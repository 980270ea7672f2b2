"""Reading the SQLite file to verify it; its twin is `postgres.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json
from domain.log.recalling.snapshots import Snapshot
from domain.log.sqlite import SQLiteRecorder
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
    SELECT level, tile, CAST(hashes AS BLOB), CAST(positions AS BLOB),
           first_position, last_position
      FROM milepost_tree WHERE level = ? AND tile >= ? ORDER BY tile LIMIT ?
"""
COLUMNS = {
    "instances": """stored.document, stored.version, stored.first_position, stored.agent_id,
           stored.user_id, stored.status, stored.current_step, stored.due_at,
           stored.unresponsive_at, stored.look_at, stored.attention_rank,
           stored.attention_from, stored.workflow,
           (SELECT group_concat(machine) FROM (
                   SELECT machine FROM milepost_machines
                    WHERE job_id = stored.job_id ORDER BY machine)) AS machines""",
    "timelines": "stored.document, stored.version",
}
SELECT_ROWS = {
    view: f"""
        SELECT stored.job_id, {columns}
          FROM json_each(?) AS wanted
          JOIN milepost_{view} AS stored ON stored.job_id = wanted.value
    """
    for view, columns in COLUMNS.items()
}
SELECT_WITHOUT_EVENTS = {
    view: f"""
        SELECT stored.job_id, {columns} FROM milepost_{view} AS stored
         WHERE stored.job_id > ?
           AND NOT EXISTS (SELECT 1 FROM milepost_events WHERE originator_id = stored.job_id)
         ORDER BY stored.job_id LIMIT ?
    """
    for view, columns in COLUMNS.items()
}
ASIDE = "aside.position, aside.view, aside.job_id, aside.version, aside.topic"
SELECT_SET_ASIDE = f"""
    SELECT {ASIDE} FROM milepost_set_aside AS aside
      JOIN milepost_events AS e ON e.notification_id = aside.position
     WHERE aside.job_id IN (SELECT value FROM json_each(?))
       AND e.originator_id = aside.job_id AND e.originator_version = aside.version
     ORDER BY aside.position, aside.view
"""
SELECT_LOST_ASIDE = f"""
    SELECT {ASIDE} FROM milepost_set_aside AS aside
     WHERE (position, view) > (?, ?) AND (? IS NULL OR job_id = ?)
       AND NOT EXISTS (SELECT 1 FROM milepost_events
                        WHERE notification_id = aside.position AND originator_id = aside.job_id
                          AND originator_version = aside.version AND topic = aside.topic)
     ORDER BY position, view LIMIT ?
"""
SELECT_JOBS_WITH_SNAPSHOTS = """
    SELECT wanted.value FROM json_each(?) AS wanted
     WHERE EXISTS (SELECT 1 FROM milepost_view_snapshots WHERE job_id = wanted.value)
"""
SELECT_VIEW_SNAPSHOTS = """
    SELECT job_id, version, view, recorded_at, document FROM milepost_view_snapshots
     WHERE job_id = ? AND (version, view) > (?, ?) AND version <= ?
     ORDER BY version, view LIMIT ?
"""
SELECT_JOB_SNAPSHOTS = """
    SELECT stored.job_id, stored.version, stored.shape, CAST(stored.state AS BLOB)
      FROM json_each(?) AS wanted
      JOIN milepost_snapshots AS stored ON stored.job_id = wanted.value
"""
SELECT_LOST_SNAPSHOTS = """
    SELECT job_id, view, version
      FROM (SELECT job_id, view, version FROM milepost_view_snapshots
             UNION ALL
            SELECT job_id, '', version FROM milepost_snapshots) AS stored
     WHERE (job_id, view, version) > (?, ?, ?) AND (? IS NULL OR job_id = ?)
       AND NOT EXISTS (SELECT 1 FROM milepost_events
                        WHERE originator_id = stored.job_id AND originator_version = stored.version)
     ORDER BY job_id, view, version LIMIT ?
"""
SELECT_KEYS = """
    SELECT key.name, key.job_id, key.version, key.digest, e.notification_id
      FROM json_each(?) AS wanted
      JOIN milepost_keys AS key ON key.name = wanted.value
      LEFT JOIN milepost_events AS e
        ON e.originator_id = key.job_id AND e.originator_version = key.version
"""
SELECT_KEYS_WITH_EVENTS = """
    SELECT key.name, key.job_id, key.version, key.digest,
           e.notification_id, e.topic, CAST(e.state AS BLOB)
      FROM milepost_keys AS key
      LEFT JOIN milepost_events AS e
        ON e.originator_id = key.job_id AND e.originator_version = key.version
     WHERE key.name > ? ORDER BY key.name LIMIT ?
"""


class SQLiteInspection:
    """Reads a SQLite file for a verification; see `Inspection`."""

    def __init__(self, recorder: SQLiteRecorder) -> None:
        self.log = recorder
        self._datastore: SQLiteDatastore = recorder.datastore

    def tiles(self, level: int, first: int, limit: int) -> Sequence[StoredTile]:
        """See `Inspection.tiles`."""
        rows = self._rows(SELECT_TILES, level, first, limit)
        return [StoredTile(Tile(*row[:4]), *row[4:]) for row in map(tuple, rows)]

    def rows(self, view: str, job_ids: Collection[str]) -> Mapping[str, StoredRow]:
        """See `Inspection.rows`."""
        return _by_job(self._rows(SELECT_ROWS[view], as_json(list(job_ids))))

    def set_aside(self, job_ids: Collection[str]) -> Sequence[StoredSetAside]:
        """See `Inspection.set_aside`."""
        return [
            StoredSetAside(*row) for row in self._rows(SELECT_SET_ASIDE, as_json(list(job_ids)))
        ]

    def set_aside_without_events(
        self, after: tuple[int, str], limit: int, job_id: str | None = None
    ) -> Sequence[StoredSetAside]:
        """See `Inspection.set_aside_without_events`."""
        rows = self._rows(SELECT_LOST_ASIDE, *after, job_id, job_id, limit)
        return [StoredSetAside(*row) for row in rows]

    def rows_without_events(self, view: str, after: str, limit: int) -> Mapping[str, StoredRow]:
        """See `Inspection.rows_without_events`."""
        return _by_job(self._rows(SELECT_WITHOUT_EVENTS[view], after, limit))

    def jobs_with_view_snapshots(self, job_ids: Collection[str]) -> Collection[str]:
        """See `Inspection.jobs_with_view_snapshots`."""
        return {row[0] for row in self._rows(SELECT_JOBS_WITH_SNAPSHOTS, as_json(list(job_ids)))}

    def view_snapshots(
        self, job_id: str, after: tuple[int, str], upto: int, limit: int
    ) -> Sequence[StoredViewSnapshot]:
        """See `Inspection.view_snapshots`."""
        rows = self._rows(SELECT_VIEW_SNAPSHOTS, job_id, *after, upto, limit)
        return [StoredViewSnapshot(*row) for row in rows]

    def job_snapshots(self, job_ids: Collection[str]) -> Sequence[Snapshot]:
        """See `Inspection.job_snapshots`."""
        return [Snapshot(*row) for row in self._rows(SELECT_JOB_SNAPSHOTS, as_json(list(job_ids)))]

    def snapshots_without_events(
        self, after: tuple[str, str, int], limit: int, job_id: str | None = None
    ) -> Sequence[LostSnapshot]:
        """See `Inspection.snapshots_without_events`."""
        rows = self._rows(SELECT_LOST_SNAPSHOTS, *after, job_id, job_id, limit)
        return [LostSnapshot(*row) for row in rows]

    def keys(self, names: Collection[str]) -> Mapping[str, StoredKey]:
        """See `Inspection.keys`."""
        return {row[0]: StoredKey(*row) for row in self._rows(SELECT_KEYS, as_json(list(names)))}

    def keys_with_events(self, after: str, limit: int) -> Sequence[StoredKey]:
        """See `Inspection.keys_with_events`."""
        return [StoredKey(*row) for row in self._rows(SELECT_KEYS_WITH_EVENTS, after, limit)]

    def _rows(self, statement: str, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(statement, parameters).fetchall()


def _by_job(rows: Sequence[Any]) -> dict[str, StoredRow]:
    by_job: dict[str, StoredRow] = {}
    for row in rows:
        columns = dict(row)
        by_job[columns.pop("job_id")] = StoredRow(columns.pop("document"), columns)
    return by_job

"""Rows and their position, written in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from domain.log.parameters import as_json, utc_text
from projections.read_model.contract import PositionMoved
from projections.read_model.rows import Changes, InstanceRow, Row, ViewSnapshot
from projections.read_model.sqlite.statements import Statements
from projections.read_model.tables import VIEWS

# With CROSS JOIN, SQLite reads the left table first, which is in the order of the array.
SELECT_DOCUMENTS: dict[str, LiteralString] = {
    view: f"""
        SELECT job_id, version, document
          FROM json_each(?) AS wanted CROSS JOIN milepost_{view} ON job_id = wanted.value
    """
    for view in VIEWS
}
MOVE: LiteralString = """
    UPDATE milepost_read_model SET position = ?
     WHERE tables = 'served' AND position = ? AND shape = ? AND generation = ?
"""
UPSERT_INSTANCE: LiteralString = """
    INSERT INTO milepost_instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET
      version = excluded.version, document = excluded.document,
      first_position = excluded.first_position, agent_id = excluded.agent_id,
      user_id = excluded.user_id, status = excluded.status,
      current_step = excluded.current_step, due_at = excluded.due_at,
      unresponsive_at = excluded.unresponsive_at, look_at = excluded.look_at,
      attention_rank = excluded.attention_rank, attention_from = excluded.attention_from,
      workflow = excluded.workflow
"""
UPSERT_TIMELINE: LiteralString = """
    INSERT INTO milepost_timelines VALUES (?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET version = excluded.version, document = excluded.document
"""
UPSERT_SET_ASIDE: LiteralString = """
    INSERT INTO milepost_set_aside VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (position, view) DO UPDATE SET error = excluded.error
"""
FORGET_SET_ASIDE: LiteralString = "DELETE FROM milepost_set_aside WHERE job_id = ?"
FORGET_SNAPSHOTS: LiteralString = "DELETE FROM milepost_view_snapshots WHERE job_id = ?"
UPSERT_SNAPSHOT: LiteralString = """
    INSERT INTO milepost_view_snapshots VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (job_id, view, version) DO UPDATE SET
      recorded_at = excluded.recorded_at, document = excluded.document
"""
FORGET_MACHINES: LiteralString = "DELETE FROM milepost_machines WHERE job_id = ?"
GIVE_UP_MACHINE: LiteralString = "DELETE FROM milepost_machines WHERE machine = ? AND job_id = ?"
INSERT_MACHINE: LiteralString = """
    INSERT INTO milepost_machines VALUES (?, ?) ON CONFLICT DO NOTHING
"""


class Applying(Statements):
    """Write what a batch of events changes."""

    def documents(self, view: str, job_ids: Sequence[str]) -> Mapping[str, str]:
        """See `ReadModel.documents`."""
        rows = self._first(Row, SELECT_DOCUMENTS[view], as_json(job_ids))
        return {row.job_id: row.document for row in rows}

    def apply(self, changes: Changes) -> None:
        """See `ReadModel.apply`."""
        with self._datastore.writing() as cursor:
            move = (changes.position, changes.since, self.shape, changes.generation)
            if cursor.execute(self._on(MOVE), move).rowcount != 1:
                raise PositionMoved
            for statement, rows in (
                (UPSERT_INSTANCE, map(_instance_columns, changes.instances)),
                (UPSERT_TIMELINE, map(msgspec.structs.astuple, changes.timelines)),
                (FORGET_SET_ASIDE, ((job_id,) for job_id in changes.tried_again)),
                (UPSERT_SET_ASIDE, map(msgspec.structs.astuple, changes.set_aside)),
                (FORGET_SNAPSHOTS, ((job_id,) for job_id in changes.tried_again)),
                (UPSERT_SNAPSHOT, map(_snapshot_columns, changes.snapshots)),
                (FORGET_MACHINES, ((job_id,) for job_id in changes.tried_again)),
                (FORGET_MACHINES, ((job_id,) for job_id in changes.machines_anew)),
                (GIVE_UP_MACHINE, map(msgspec.structs.astuple, changes.machines_given_up)),
                (INSERT_MACHINE, map(msgspec.structs.astuple, changes.machines)),
            ):
                cursor.executemany(self._on(statement), rows)


def _instance_columns(row: InstanceRow) -> tuple[Any, ...]:
    return tuple(
        utc_text(value) if isinstance(value, datetime) else value
        for value in msgspec.structs.astuple(row)
    )


def _snapshot_columns(snapshot: ViewSnapshot) -> tuple[Any, ...]:
    job_id, view, version, recorded_at, document = msgspec.structs.astuple(snapshot)
    return job_id, view, version, utc_text(recorded_at), document

"""Rows and their position, written in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from domain.log.connections.postgres_prepared import Prepared, executed
from domain.log.parameters import as_json, spelled
from domain.log.postgres import PostgresRecorder
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.postgres.statements import Statements, within_bytes
from projections.read_model.rows import Changes, Row
from projections.read_model.tables import VIEWS

# LATERAL and OFFSET 0: the plan uses the indexes, also if it was made when the tables were small.
SELECT_DOCUMENTS: dict[str, LiteralString] = {
    view: within_bytes(
        f"""
        SELECT wanted.place, stored.job_id, stored.version, stored.document
          FROM json_array_elements_text(%s::json) WITH ORDINALITY AS wanted (job_id, place)
         CROSS JOIN LATERAL (
               SELECT job_id, version, document FROM milepost_{view}
                WHERE job_id = wanted.job_id OFFSET 0) AS stored
        """,
        "job_id, version, document",
        "place",
    )
    for view in VIEWS
}
# The commit does not wait for the disk: rows that a crash loses are folded again from the events.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off"
MOVE: LiteralString = """
    UPDATE milepost_read_model SET position = %s
     WHERE tables = 'served' AND position = %s AND shape = %s AND generation = %s
"""
# All rows are one JSON text: the driver adapts one string for any number of rows.
UPSERT_INSTANCES = """
    INSERT INTO milepost_instances (
      job_id, version, document, first_position, agent_id, user_id, status, current_step,
      due_at, unresponsive_at, look_at, attention_rank, attention_from, workflow)
    SELECT * FROM json_to_recordset(%s::json) AS row (
           job_id text, version bigint, document text, first_position bigint, agent_id text,
           user_id text, status text, current_step text,
           due_at timestamptz, unresponsive_at timestamptz, look_at timestamptz,
           attention_rank integer, attention_from timestamptz, workflow text)
    ON CONFLICT (job_id) DO UPDATE SET
      version = excluded.version, document = excluded.document,
      first_position = excluded.first_position, agent_id = excluded.agent_id,
      user_id = excluded.user_id, status = excluded.status,
      current_step = excluded.current_step, due_at = excluded.due_at,
      unresponsive_at = excluded.unresponsive_at, look_at = excluded.look_at,
      attention_rank = excluded.attention_rank, attention_from = excluded.attention_from,
      workflow = excluded.workflow
"""
UPSERT_TIMELINES = """
    INSERT INTO milepost_timelines
    SELECT * FROM json_to_recordset(%s::json) AS row (job_id text, version bigint, document text)
    ON CONFLICT (job_id) DO UPDATE SET version = excluded.version, document = excluded.document
"""
UPSERT_SET_ASIDE = """
    INSERT INTO milepost_set_aside
    SELECT * FROM json_to_recordset(%s::json) AS row (
           position bigint, job_id text, version bigint, topic text, error text, view text)
    ON CONFLICT (position, view) DO UPDATE SET error = excluded.error
"""
FORGET_SET_ASIDE = """
    DELETE FROM milepost_set_aside WHERE job_id IN (SELECT json_array_elements_text(%s::json))
"""
FORGET_SNAPSHOTS = """
    DELETE FROM milepost_view_snapshots
     WHERE job_id IN (SELECT json_array_elements_text(%s::json))
"""
UPSERT_SNAPSHOTS = """
    INSERT INTO milepost_view_snapshots
    SELECT * FROM json_to_recordset(%s::json) AS row (
           job_id text, view text, version bigint, recorded_at timestamptz, document text)
    ON CONFLICT (job_id, view, version) DO UPDATE SET
      recorded_at = excluded.recorded_at, document = excluded.document
"""
# By ctid: the plan uses the indexes, also if it was made when the table was small.
FORGET_MACHINES = """
    DELETE FROM milepost_machines
     WHERE ctid = ANY (ARRAY(
           SELECT stored.ctid FROM json_array_elements_text(%s::json) AS gone (job_id)
            CROSS JOIN LATERAL (
                  SELECT ctid FROM milepost_machines
                   WHERE job_id = gone.job_id OFFSET 0) AS stored))
"""
GIVE_UP_MACHINES = """
    DELETE FROM milepost_machines
     WHERE ctid = ANY (ARRAY(
           SELECT stored.ctid
             FROM json_to_recordset(%s::json) AS gone (machine text, job_id text)
            CROSS JOIN LATERAL (
                  SELECT ctid FROM milepost_machines
                   WHERE machine = gone.machine AND job_id = gone.job_id OFFSET 0) AS stored))
"""
INSERT_MACHINES = """
    INSERT INTO milepost_machines
    SELECT * FROM json_to_recordset(%s::json) AS row (machine text, job_id text)
    ON CONFLICT DO NOTHING
"""
APPLIED: dict[LiteralString, LiteralString] = {
    "move": MOVE,
    "instances": UPSERT_INSTANCES,
    "timelines": UPSERT_TIMELINES,
    "forget_set_aside": FORGET_SET_ASIDE,
    "set_aside": UPSERT_SET_ASIDE,
    "forget_snapshots": FORGET_SNAPSHOTS,
    "snapshots": UPSERT_SNAPSHOTS,
    "forget_machines": FORGET_MACHINES,
    "give_up_machines": GIVE_UP_MACHINES,
    "machines": INSERT_MACHINES,
}


class Applying(Statements):
    """Write what a batch of events changes."""

    def __init__(
        self, recorder: PostgresRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        super().__init__(recorder, shape, rebuilt=rebuilt)
        self._prefix: LiteralString = "milepost_rebuild" if rebuilt else "milepost_apply"
        self._applied = Prepared(
            {f"{self._prefix}_{name}": self._on(applied) for name, applied in APPLIED.items()}
        )

    def documents(self, view: str, job_ids: Sequence[str]) -> Mapping[str, str]:
        """See `ReadModel.documents`."""
        rows = self._first(Row, SELECT_DOCUMENTS[view], as_json(job_ids))
        return {row.job_id: row.document for row in rows}

    def apply(self, changes: Changes) -> None:
        """See `ReadModel.apply`."""
        parts = [BEGIN, self._move(changes)]
        for name, rows in (
            ("instances", changes.instances),
            ("timelines", changes.timelines),
            ("forget_set_aside", changes.tried_again),
            ("set_aside", changes.set_aside),
            ("forget_snapshots", changes.tried_again),
            ("snapshots", changes.snapshots),
            ("forget_machines", [*changes.tried_again, *changes.machines_anew]),
            ("give_up_machines", changes.machines_given_up),
            ("machines", changes.machines),
        ):
            if rows:
                parts.append(executed(f"{self._prefix}_{name}", as_json(rows)))
        with self._datastore.spelled_out() as cursor:
            text = ";".join(parts).encode()
            self._applied.run(cursor, lambda: cursor.execute(text))
            for _ in BEGIN.split(";"):
                cursor.nextset()
            if cursor.rowcount != 1:
                raise PositionMoved
            cursor.execute("COMMIT")

    def _move(self, changes: Changes) -> str:
        shape = spelled(self.shape)
        values = f"{changes.position:d}, {changes.since:d}, {shape}, {changes.generation:d}"
        return f"EXECUTE {self._prefix}_move({values})"

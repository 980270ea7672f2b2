"""The statements of the event store in PostgreSQL; their twin is `sqlite.py`."""

from __future__ import annotations

from typing import LiteralString

from domain.log.connections.postgres_locks import LOCK_LOG, LOG
from domain.log.lost_end import postgres as lost_end
from domain.log.schema.postgres import PostgresPart
from domain.log.schema.steps import Part, Step, each
from domain.log.store import MAX_MISSED_BYTES, MAX_TAIL

CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_events (
         notification_id bigserial,
         originator_id text NOT NULL,
         originator_version bigint NOT NULL,
         topic text NOT NULL,
         state bytea NOT NULL,
         PRIMARY KEY (originator_id, originator_version))""",
    """CREATE UNIQUE INDEX IF NOT EXISTS milepost_events_position
         ON milepost_events (notification_id)""",
    """CREATE TABLE IF NOT EXISTS milepost_keys (
         name text PRIMARY KEY,
         job_id text NOT NULL,
         version bigint NOT NULL,
         digest text NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS milepost_snapshots (
         job_id text PRIMARY KEY,
         version bigint NOT NULL,
         shape text NOT NULL,
         state bytea NOT NULL)""",
)
PART: PostgresPart = Part(
    "log",
    (
        Step(1, ("milepost_events", "milepost_keys", "milepost_snapshots"), each(*CREATE)),
        Step(2, ("milepost_lost_ends",), each(lost_end.CREATE)),
    ),
)
# One writer at a time, so that positions become visible in order: a reader that has seen a position
# has seen all before it. `LOCK_LOG` is no LOCK TABLE, which waits for VACUUM and lets ANALYZE wait.
# READ COMMITTED: each statement after the lock sees everything that was committed before it.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Not now(), which is the time at which the transaction began to wait for the lock.
SELECT_NOW = "SELECT clock_timestamp() AS now"
# A sequence does not travel with logical replication or COPY. So after a move of the database, the
# next positions might be below the end of the log, where no reader looks again.
LOOK = """
    SELECT clock_timestamp() AS now,
           coalesce(pg_catalog.pg_sequence_last_value('milepost_events_notification_id_seq'), 0)
           < (SELECT max(notification_id) FROM milepost_events) AS is_behind
"""
# Rows travel as one JSON text: the driver adapts one string, however many rows there are.
INSERT_EVENTS = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT originator_id, originator_version, topic, decode(state, 'base64')
      FROM ROWS FROM (
           json_to_recordset(%s::json)
           AS (originator_id text, originator_version bigint, topic text, state text)
           ) WITH ORDINALITY AS event (originator_id, originator_version, topic, state, place)
     ORDER BY place
    RETURNING notification_id
"""
# A NOTIFY fails its transaction when PostgreSQL's queue is full, because another session does not
# listen for hours. The projector looks by itself, too, so then it is not woken.
# All logs of a database share the channel; the payload says which of them has grown.
WAKE = f"""
    SELECT pg_notify('milepost_events', {LOG}::oid::text)
     WHERE pg_notification_queue_usage() < 0.9::float8
"""
INSERT_PLACED = """
    INSERT INTO milepost_events
           (originator_id, originator_version, topic, state, notification_id)
    SELECT job_id, version, topic, decode(state, 'base64'), position
      FROM json_to_recordset(%s::json) AS event
           (job_id text, version bigint, topic text, state text, position bigint)
"""
COUNT_EVENTS = "SELECT COUNT(*) FROM milepost_events"
# A store without events may still have keys and snapshots, of events that were deleted.
FORGET = "DELETE FROM milepost_keys; DELETE FROM milepost_snapshots"
# An import may read from a slow pipe, so PostgreSQL must not end its idle transaction.
WAIT_FOR_EVENTS = "SET LOCAL idle_in_transaction_session_timeout = 0"
GO_ON = """
    SELECT pg_catalog.setval(pg_get_serial_sequence('milepost_events', 'notification_id'),
                  max(notification_id))
      FROM milepost_events
"""
# LATERAL and OFFSET 0 make PostgreSQL look each job or name up by the index, however small the
# tables were when it planned the statement.
SELECT_TAIL = f"""
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic,
           CASE WHEN e.originator_version > known.version::bigint
                 AND octet_length(e.state) <= {MAX_MISSED_BYTES} THEN e.state ELSE '' END
      FROM json_each_text(%s::json) AS known (id, version)
     CROSS JOIN LATERAL (
           SELECT notification_id, originator_id, originator_version, topic, state
             FROM milepost_events
            WHERE originator_id = known.id AND originator_version >= known.version::bigint
            ORDER BY originator_version OFFSET 0) AS e
     LIMIT {MAX_TAIL + 1}
"""
SELECT_KEYS = """
    SELECT k.name, k.job_id, k.version, k.digest, e.notification_id
      FROM json_array_elements_text(%s::json) AS asked (name)
     CROSS JOIN LATERAL (SELECT * FROM milepost_keys WHERE name = asked.name OFFSET 0) AS k
     CROSS JOIN LATERAL (
           SELECT notification_id
             FROM milepost_events
            WHERE originator_id = k.job_id AND originator_version = k.version OFFSET 0) AS e
"""
CLAIM_KEYS = """
    INSERT INTO milepost_keys SELECT name, job_id, version, digest
      FROM json_to_recordset(%s::json) AS key (name text, job_id text, version bigint, digest text)
    ON CONFLICT (name) DO NOTHING
"""
POINT_KEYS = """
    INSERT INTO milepost_keys SELECT name, job_id, version, digest
      FROM json_to_recordset(%s::json) AS key (name text, job_id text, version bigint, digest text)
    ON CONFLICT (name) DO UPDATE
    SET job_id = excluded.job_id, version = excluded.version, digest = excluded.digest
"""
RELEASE_KEYS = """
    DELETE FROM milepost_keys AS key
     USING json_to_recordset(%s::json) AS held (name text, job_id text)
     WHERE key.name = held.name AND key.job_id = held.job_id
"""
KEEP_SNAPSHOTS = """
    INSERT INTO milepost_snapshots SELECT job_id, version, shape, decode(state, 'base64')
      FROM json_to_recordset(%s::json) AS snapshot
           (job_id text, version bigint, shape text, state text)
    ON CONFLICT (job_id) DO UPDATE
    SET version = excluded.version, shape = excluded.shape, state = excluded.state
"""
# A standby that is promoted has started at another time than the old primary, and a database that
# takes the name of another one has another number.
WHICH_SERVER = """
    SELECT pg_postmaster_start_time()::text, oid FROM pg_database
     WHERE datname = current_database()
"""
PREPARED: dict[LiteralString, LiteralString] = {
    "milepost_lock": LOCK_LOG,
    "milepost_look": LOOK,
    "milepost_tail": SELECT_TAIL,
    "milepost_keys": SELECT_KEYS,
    "milepost_append": INSERT_EVENTS,
    "milepost_wake": WAKE,
    "milepost_release": RELEASE_KEYS,
    "milepost_claim": CLAIM_KEYS,
    "milepost_point": POINT_KEYS,
    "milepost_snapshots": KEEP_SNAPSHOTS,
}

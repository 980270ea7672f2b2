"""The statements of the event store in a SQLite file; their twin is `postgres.py`."""

from __future__ import annotations

from typing import LiteralString

from domain.job.keys.key import Key
from domain.log.lost_end import sqlite as lost_end
from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each
from domain.log.store import MAX_MISSED_BYTES, MAX_TAIL

# AUTOINCREMENT: SQLite never uses the position of a deleted newest event again.
CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_events (
         notification_id INTEGER PRIMARY KEY AUTOINCREMENT,
         originator_id TEXT NOT NULL,
         originator_version INTEGER NOT NULL,
         topic TEXT NOT NULL,
         state BLOB NOT NULL,
         UNIQUE (originator_id, originator_version))""",
    """CREATE TABLE IF NOT EXISTS milepost_keys (
         name TEXT PRIMARY KEY,
         job_id TEXT NOT NULL,
         version INTEGER NOT NULL,
         digest TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS milepost_snapshots (
         job_id TEXT PRIMARY KEY,
         version INTEGER NOT NULL,
         shape TEXT NOT NULL,
         state BLOB NOT NULL)""",
)
PART: SQLitePart = Part(
    "log",
    (
        Step(1, ("milepost_events", "milepost_keys", "milepost_snapshots"), each(*CREATE)),
        Step(2, ("milepost_lost_ends",), each(lost_end.CREATE)),
    ),
)
INSERT_EVENT = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    VALUES (?, ?, ?, ?)
"""
INSERT_PLACED = """
    INSERT INTO milepost_events
           (originator_id, originator_version, topic, state, notification_id)
    VALUES (?, ?, ?, ?, ?)
"""
COUNT_EVENTS = "SELECT COUNT(*) FROM milepost_events"
# The log is empty, so any keys and snapshots are left from events that were deleted.
FORGET = ("DELETE FROM milepost_keys", "DELETE FROM milepost_snapshots")
SELECT_TAIL = f"""
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic,
           iif(e.originator_version > json_extract(known.value, '$[1]')
               AND length(e.state) <= {MAX_MISSED_BYTES}, e.state, x'')
      FROM json_each(?) AS known
      JOIN milepost_events AS e
        ON e.originator_id = json_extract(known.value, '$[0]')
       AND e.originator_version >= json_extract(known.value, '$[1]')
     ORDER BY e.originator_id, e.originator_version LIMIT {MAX_TAIL + 1}
"""
SELECT_KEYS = """
    SELECT k.name, k.job_id, k.version, k.digest, e.notification_id
      FROM milepost_keys AS k
      JOIN milepost_events AS e ON e.originator_id = k.job_id AND e.originator_version = k.version
     WHERE k.name IN (SELECT value FROM json_each(?))
"""
CLAIM_KEY = "INSERT INTO milepost_keys VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"
POINT_KEY = """
    INSERT INTO milepost_keys VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE
    SET job_id = excluded.job_id, version = excluded.version, digest = excluded.digest
"""
RELEASE_KEY = "DELETE FROM milepost_keys WHERE name = ? AND job_id = ?"
KEEP_SNAPSHOT = """
    INSERT INTO milepost_snapshots VALUES (?, ?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE
    SET version = excluded.version, shape = excluded.shape, state = excluded.state
"""


def key_row(key: Key) -> tuple[str, str, int, str]:
    """Return the parameters of `CLAIM_KEY` and `POINT_KEY`."""
    return key.name, key.job_id, key.version, key.digest

"""A log that loses its end, as by the restore of an older backup."""

from __future__ import annotations

from typing import Any

from domain.log.memory import MemoryRecorder
from domain.log.reading.contract import NEWEST
from domain.log.sqlite import SQLiteRecorder
from tests.support.stores.deployment import Deployment


def lose(made: Deployment, after: int) -> None:
    """Take the log back to this position, with its keys and its sequence of positions."""
    recorder: Any = made.milepost.recorder
    if isinstance(recorder, MemoryRecorder):
        _lose_in_memory(recorder, after)
    elif isinstance(recorder, SQLiteRecorder):
        with recorder.datastore.writing() as cursor:
            cursor.execute("DELETE FROM milepost_events WHERE notification_id > ?", (after,))
            cursor.execute("DELETE FROM milepost_keys")
            cursor.execute("UPDATE sqlite_sequence SET seq = ? WHERE seq > ?", (after, after))
    else:
        with recorder.datastore.transaction(commit=True) as cursor:
            cursor.execute("DELETE FROM milepost_events WHERE notification_id > %s", (after,))
            cursor.execute("DELETE FROM milepost_keys")
            cursor.execute(
                "SELECT setval('milepost_events_notification_id_seq', greatest(%s, 1), %s > 0)",
                (after, after),
            )


def _lose_in_memory(recorder: MemoryRecorder, after: int) -> None:
    older = MemoryRecorder()
    older.append(recorder.events(0, NEWEST, after))
    recorder._stored_events = older._stored_events
    recorder._stored_events_index = older._stored_events_index
    recorder._keys.clear()

"""What is beside the rows: events that were set aside, and notes."""

from __future__ import annotations

from collections.abc import Sequence

from projections.read_model.postgres.statements import Statements
from projections.read_model.rows import SetAside

SELECT_NOTE = "SELECT text FROM milepost_notes WHERE name = %s"
UPSERT_NOTE = """
    INSERT INTO milepost_notes VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET text = excluded.text
"""
SELECT_SET_ASIDE = """
    SELECT position, job_id, version, topic, error, view
      FROM milepost_set_aside ORDER BY position DESC, view LIMIT %s
"""


class Notes(Statements):
    """Keep what is no row of a view."""

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """See `ReadModel.set_aside`."""
        return [SetAside(**row) for row in self._rows(SELECT_SET_ASIDE, limit)]

    def note(self, name: str) -> str | None:
        """See `ReadModel.note`."""
        rows = self._rows(SELECT_NOTE, name)
        return rows[0]["text"] if rows else None

    def keep_note(self, name: str, text: str) -> None:
        """See `ReadModel.keep_note`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(UPSERT_NOTE, (name, text))

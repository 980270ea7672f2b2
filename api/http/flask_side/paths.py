"""Ids in paths, which may contain slashes."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter

from api.schemas.ids import MAX_ID, is_printable


class IdConverter(PathConverter):
    """An id of 1 to 200 characters. Another text is answered with 404, without the database."""

    regex = ".+?"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the id."""
        if len(value) > MAX_ID or not is_printable(value):
            raise NotFound
        return value

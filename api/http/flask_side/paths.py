"""Ids in paths, which may contain slashes."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter

from api.schemas.ids import MAX_ID, has_dot_parts, in_path, is_printable


class IdConverter(PathConverter):
    """An id of 1 to 200 characters. Another text is answered with 404, without the database."""

    regex = ".+?"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the id."""
        if len(value) > MAX_ID or not is_printable(value):
            raise NotFound
        return value

    def to_url(self, value: str) -> str:
        """Return the id as a path has it, for a client that takes out the parts `.` and `..`."""
        return in_path(value) if has_dot_parts(value) else super().to_url(value)

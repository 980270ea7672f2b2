"""The variables of an environment, each given as `NAME` or as a file that `NAME_FILE` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from domain.errors import MilepostError


class InvalidSetting(MilepostError):
    """A setting cannot be used; the message names the variable and what it wants."""


class Variables:
    """Read variables and raise `InvalidSetting`, which names the variable."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def get(self, name: str) -> str | None:
        """Return the value of a variable or of the file that NAME_FILE names; None if unset."""
        value, path = self._variables.get(name), self._variables.get(f"{name}_FILE")
        if value and path:
            raise InvalidSetting(f"{name}: set either it or {name}_FILE, not both")
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidSetting(f"{name}_FILE: {path} cannot be read: {error}") from error
            if not value:
                raise InvalidSetting(f"{name}_FILE: {path} is empty")
        return value or None

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds."""
        value = self.get(name)
        if value is None:
            return None
        digits = value.isascii() and value.isdigit() and len(value) < 9
        if not digits or not least <= int(value) <= most:
            raise InvalidSetting(
                f"{name}: {value[:20]!r} is not a whole number from {least} to {most}"
            )
        return int(value)

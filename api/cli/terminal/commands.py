"""The commands by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name

import click


class Commands(Mapping[str, click.Command]):
    """Commands by name. The module of a command is imported when somebody asks for the command.

    All commands together need 1,000 modules, and one of them a part. A place is `module:name`.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = resolve_name(self._places[name])
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

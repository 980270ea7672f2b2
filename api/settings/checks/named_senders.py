"""Named senders: secrets of their own, with the workflows and users that they speak for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from api.settings.checks.secrets import checked_secrets
from api.settings.variables import InvalidSetting

NAME = "MILEPOST_SENDERS"


class NamedSender(msgspec.Struct, frozen=True):
    """A sender and its secrets, the newest first; `workflows` or `users` of None is no limit."""

    name: str
    secrets: tuple[str, ...]
    workflows: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """Show the name, and no secret."""
        return f"<NamedSender {self.name}>"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secret_file: str
    workflows: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None


def named_senders(value: str | None, others: Collection[str]) -> tuple[NamedSender, ...]:
    """Return the senders of a TOML file, which has a table for each, named like the sender.

    Their secrets differ from one another and from the `others`.
    """
    if value is None:
        return ()
    path = Path(value)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{NAME}: {path} cannot be read: {error}") from error
    found = tuple(_sender(path, name, table) for name, table in document.items())
    if not found:
        raise InvalidSetting(f"{NAME}: {path} has no sender: a table like [deployers]")
    secrets = [*set(others), *(secret for sender in found for secret in sender.secrets)]
    if len(set(secrets)) < len(secrets):
        raise InvalidSetting(
            f"{NAME}: {path}: two senders, or a sender and Milepost, share a secret"
        )
    return found


def _sender(path: Path, name: str, given: Any) -> NamedSender:
    where = f"{NAME}: {path}: {name}"
    if not re.fullmatch("[a-z][a-z0-9_-]{0,63}", name) or name == "job-key":
        raise InvalidSetting(
            f"{where}: a name has lower-case letters, digits, - and _, and is not job-key"
        )
    try:
        table = msgspec.convert(given, _Table)
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{where}: {error}") from error
    for field in ("workflows", "users"):
        if getattr(table, field) == ():
            raise InvalidSetting(f"{where}: {field} is empty; leave it out for all")
    secrets = checked_secrets(f"{where}: secret_file", list(_lines(where, path.parent, table)))
    return NamedSender(name, secrets, table.workflows, table.users)


def _lines(where: str, folder: Path, table: _Table) -> Iterator[str]:
    file = folder / table.secret_file
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{where}: {file} cannot be read: {error}") from error
    yield from (line.strip() for line in text.splitlines() if line.strip())

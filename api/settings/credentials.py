"""Credentials that Milepost makes once, if none are configured; they are in `MILEPOST_HOME`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from api.atomic_file import FileNotWritten, atomic_file
from api.settings.checks.secrets import admin_token, callback_secret, long_secret
from api.settings.home import make_folder
from api.settings.private_files import read_private
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from domain.errors import MilepostError
from domain.evidence.signing_keys import NAMELESS, PrivateKey
from domain.log.connections.beside import give_to_owner_of


class Credential(NamedTuple):
    """How Milepost makes and checks a credential, and which part of it is shown, if any.

    `check` returns the credential, or raises a `MilepostError`. A file may have `several`, one a
    line: the one that signs, and those that are still taken while it is rotated.
    """

    setting: str
    file_name: str
    make: Callable[[], str]
    check: Callable[[str], object]
    shown: Callable[[str], str | None] = str
    several: bool = False


def _token() -> str:
    return secrets.token_urlsafe(32)


def _checkpoint_key() -> str:
    return PrivateKey.generate(NAMELESS).secret()


def _public(secret: str) -> str:
    return str(PrivateKey.parse(secret).public)


CHECKPOINT_KEY = Credential(
    "checkpoint_keys", "checkpoint-key", _checkpoint_key, PrivateKey.parse, _public
)
GENERATED = {
    "callback secret": Credential(
        "callback_secrets", "callback-secret", _token, callback_secret, several=True
    ),
    "admin token": Credential("admin_token", "admin-token", _token, admin_token),
    "checkpoint key": CHECKPOINT_KEY,
    # The operator copies no job key secret: registrations hand out the keys derived from it.
    "job key secret": Credential(
        "job_key_secrets", "job-key-secret", _token, long_secret, lambda _: None, several=True
    ),
    "link secret": Credential(
        "link_secrets", "link-secret", _token, long_secret, lambda _: None, several=True
    ),
}


def with_credentials(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """Add the credentials that are not configured from `MILEPOST_HOME`; make the missing ones.

    Returns the settings, and the credentials that this call made, by name. They may be shown: for
    the checkpoint key, the public key is returned.
    """
    made: dict[str, str] = {}
    generated: list[str] = []
    filled = settings
    for name, credential in GENERATED.items():
        if getattr(settings, credential.setting) or not _is_needed(name, settings):
            continue
        stored, is_new = _stored_secrets(settings.home / credential.file_name, credential)
        filled = _with(filled, credential, stored)
        generated.append(name)
        if is_new and (shown := credential.shown(stored[0])):
            made[name] = shown
    return msgspec.structs.replace(filled, generated=tuple(generated)), made


def needs_credentials(settings: Settings) -> bool:
    """Tell whether a credential of senders or readers is not configured."""
    shared = settings.callback_secrets or not settings.takes_shared_secret
    return not (shared and settings.admin_token)


def _is_needed(name: str, settings: Settings) -> bool:
    return name != "callback secret" or settings.takes_shared_secret


def with_stored_checkpoint_key(settings: Settings) -> Settings:
    """Add the checkpoint key that an earlier start made, unless one is configured."""
    return _with_stored(settings, CHECKPOINT_KEY)


def with_stored_admin_token(settings: Settings) -> Settings:
    """Add the admin token that an earlier start made, unless one is configured."""
    return _with_stored(settings, GENERATED["admin token"])


def with_stored_link_secrets(settings: Settings) -> Settings:
    """Add the link secrets that an earlier start made, unless some are configured."""
    return _with_stored(settings, GENERATED["link secret"])


def _with_stored(settings: Settings, credential: Credential) -> Settings:
    path = settings.home / credential.file_name
    if getattr(settings, credential.setting) or not os.path.lexists(path):
        return settings
    return _with(settings, credential, _read(path, credential))


def credential_files(settings: Settings) -> list[Path]:
    """Return the files of the credentials that Milepost made."""
    return [file_of(settings, name) for name in settings.generated]


def file_of(settings: Settings, name: str) -> Path:
    """Return the file of a credential of `GENERATED`, by its name there."""
    return settings.home / GENERATED[name].file_name


def _with(settings: Settings, credential: Credential, given: tuple[str, ...]) -> Settings:
    is_tuple = isinstance(getattr(settings, credential.setting), tuple)
    value = given if is_tuple else given[0]
    return msgspec.structs.replace(settings, **{credential.setting: value})


def _stored_secrets(path: Path, credential: Credential) -> tuple[tuple[str, ...], bool]:
    """Return the secrets in the file, and whether this call made the one that is there."""
    make_folder("MILEPOST_HOME", path.parent)
    if not os.path.lexists(path):
        secret = credential.make()
        try:
            with atomic_file(path, replace=False) as file:
                give_to_owner_of(path.parent, file.fileno())
                file.write(f"{secret}\n".encode("ascii"))
        except FileExistsError:
            pass  # another process has started at the same time, and its secret counts
        except FileNotWritten as error:
            raise InvalidSetting(f"MILEPOST_HOME: {error}") from error
        else:
            return (secret,), True
    return _read(path, credential), False


def _read(path: Path, credential: Credential) -> tuple[str, ...]:
    """Return the secrets in the file."""
    stored = tuple(line.strip() for line in read_private(path).splitlines() if line.strip())
    if not stored:
        raise InvalidSetting(
            f"{path} is empty; delete the file, and Milepost makes a new credential"
        )
    if len(stored) > 1 and not credential.several:
        raise InvalidSetting(f"MILEPOST_HOME: {path} has {len(stored)} lines; it must have one")
    for secret in stored:
        # Milepost makes no secret with a comma, so somebody means two: they would be taken for one.
        if "," in secret and credential.several:
            raise InvalidSetting(
                f"MILEPOST_HOME: {path} has a comma: several secrets must be on a line each "
                f"(MILEPOST_{credential.setting.upper().removesuffix('S')}_FILE names a file "
                "of secrets that may have commas)"
            )
        try:
            credential.check(secret)
        except MilepostError as error:
            rule = str(error).removeprefix("MILEPOST_ADMIN_TOKEN: ")
            raise InvalidSetting(f"MILEPOST_HOME: {path}: {rule}") from error
    return stored

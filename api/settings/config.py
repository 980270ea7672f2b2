"""Settings: the environment, read once, checked, and frozen.

Every variable can also be given as `NAME_FILE`, the path of a file that holds the value.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

import msgspec
from eventsourcing.utils import TopicError, resolve_topic
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from domain.errors import MilepostError
from domain.evidence.checkpoint import InvalidKey, PrivateKey, PublicKey

CIPHER = "eventsourcing.cryptography:AESCipher"
DEFAULT_THREADS = 32


class InvalidSetting(MilepostError):
    """A setting cannot be used; the message names the variable and what it wants."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says. `generated` names the credentials that Milepost made itself."""

    home: Path
    database_url: str
    callback_secrets: tuple[str, ...] = ()
    admin_token: str = ""
    checkpoint_keys: tuple[str, ...] = ()
    checkpoint_trusted: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    workflows: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    one_core: bool = True
    store: dict[str, str] = {}

    @property
    def database(self) -> str:
        """The kind of database: `sqlite` or `postgresql`."""
        return "sqlite" if self.database_url.startswith("sqlite:") else "postgresql"

    @property
    def shown_database(self) -> str:
        """The database as it may be printed: without a password."""
        if self.database == "sqlite":
            return self.database_url
        told = conninfo_to_dict(self.database_url)
        user = f"{told['user']}@" if told.get("user") else ""
        host, dbname = str(told.get("host") or ""), told.get("dbname") or ""
        if host.startswith("/"):  # a Unix socket
            return f"postgresql://{user}/{dbname}?host={host}"
        ports = f"{told.get('port') or ''}".split(",")
        pairs = zip_longest(host.split(","), ports, fillvalue="")
        hosts = ",".join(f"{each}:{port}" if port else each for each, port in pairs)
        return f"postgresql://{user}{hosts}/{dbname}"

    def __repr__(self) -> str:
        """Tell where it is, and no secret."""
        where = f"{self.host}:{self.port} workers={self.workers}"
        return f"<Settings {self.home} {self.shown_database} {where}>"

    @property
    def signers(self) -> list[PrivateKey]:
        """The keys that sign checkpoints."""
        return [PrivateKey.parse(key) for key in self.checkpoint_keys]

    @property
    def trusted(self) -> list[PublicKey]:
        """The keys whose checkpoints are believed: our own, and those that are named."""
        named = [PublicKey.parse(key) for key in self.checkpoint_trusted]
        return [*(key.public for key in self.signers), *named]

    @property
    def sqlite_file(self) -> Path:
        """The path in `sqlite:///relative` or `sqlite:////absolute`."""
        return Path(unquote(self.database_url.removeprefix("sqlite:///")))

    @property
    def listens_on_loopback(self) -> bool:
        """True when only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def from_environment(
    environment: Mapping[str, str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
) -> Settings:
    """Read the settings; raise `InvalidSetting`. Nothing is written: see `api.credentials`.

    `host`, `port` and `workers` are command line options and go before the environment.
    """
    env = _Environment(os.environ if environment is None else environment)
    home = Path(env.get("MILEPOST_HOME") or ".milepost")
    settings = Settings(
        home=home,
        database_url=_database_url(env.get("MILEPOST_DATABASE_URL"), home),
        callback_secrets=_secrets(env),
        admin_token=_admin_token(env.get("MILEPOST_ADMIN_TOKEN")),
        checkpoint_keys=_checkpoint_keys(env.get("MILEPOST_CHECKPOINT_KEY")),
        checkpoint_trusted=_checkpoint_trusted(env.get("MILEPOST_CHECKPOINT_TRUSTED")),
        workflows=_folder(env.get("MILEPOST_WORKFLOWS")),
        store=_cipher(env),
        host=host or env.get("MILEPOST_HOST") or "127.0.0.1",
        port=port or env.integer("MILEPOST_PORT", 1, 65535) or 8000,
        workers=workers or env.integer("MILEPOST_WORKERS", 1, 64) or 1,
        one_core=env.switch("MILEPOST_ONE_CORE", default=True),
    )
    if settings.workers > 1 and settings.database == "sqlite":
        raise InvalidSetting(
            "MILEPOST_WORKERS: SQLite takes one worker; set MILEPOST_DATABASE_URL to a "
            "postgresql:// URL for more"
        )
    return settings


def make_home(settings: Settings) -> None:
    """Create the folders that the settings name, for this user alone."""
    make_folder("MILEPOST_HOME", settings.home)
    if settings.database == "sqlite":
        make_folder("MILEPOST_DATABASE_URL", settings.sqlite_file.parent)


def make_folder(name: str, folder: Path) -> None:
    """Make a folder for this user alone; raise `InvalidSetting` that names the variable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(f"{name}: {folder} cannot be made: {error.strerror}") from error


class _Environment:
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

    def switch(self, name: str, *, default: bool) -> bool:
        """Return whether something is on."""
        value = self.get(name)
        if value is None:
            return default
        if value not in ("on", "off"):
            raise InvalidSetting(f"{name}: {value[:20]!r} is neither on nor off")
        return value == "on"


def _database_url(url: str | None, home: Path) -> str:
    if url is None:
        return f"sqlite:///{home / 'milepost.db'}"
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return url
    if url.startswith(("postgresql://", "postgres://")):
        _check_conninfo(url)
        return url
    raise InvalidSetting("MILEPOST_DATABASE_URL: wants sqlite:///PATH or postgresql://…")


def _check_conninfo(url: str) -> None:
    # Never the URL or libpq's words about it: they have the password in them.
    fault = (
        "MILEPOST_DATABASE_URL: is no URL that PostgreSQL understands; "
        "percent-encode special characters in the password"
    )
    try:
        told = conninfo_to_dict(url)
    except ProgrammingError:
        raise InvalidSetting(fault) from None
    ports = str(told.get("port") or "").split(",")
    if "@" in str(told.get("host") or "") or not all(p.isdigit() or p == "" for p in ports):
        raise InvalidSetting(fault)


def _secrets(env: _Environment) -> tuple[str, ...]:
    name = "MILEPOST_CALLBACK_SECRET"
    value = env.get(name)
    if value is None:
        name = "GITHUB_CALLBACK_SECRET"
        value = env.get(name)
    given = _listed(value)
    for secret in given:
        if len(secret) < 8:
            raise InvalidSetting(f"{name}: a secret has at least 8 characters")
        if secret.startswith("whsec_"):
            try:
                key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
            except binascii.Error:
                raise InvalidSetting(f"{name}: whsec_ is not followed by base64") from None
            if len(key) < 8:
                raise InvalidSetting(f"{name}: a whsec_ key has at least 8 bytes")
    if value and not given:
        raise InvalidSetting(f"{name}: holds no secret")
    return given


def _admin_token(value: str | None) -> str:
    if value and (len(value) < 16 or not all("!" <= character <= "~" for character in value)):
        raise InvalidSetting("MILEPOST_ADMIN_TOKEN: wants 16 or more ASCII characters, no spaces")
    return value or ""


def _checkpoint_keys(value: str | None) -> tuple[str, ...]:
    given = _listed(value)
    try:
        names = {PrivateKey.parse(key).name for key in given}
    except InvalidKey as error:
        raise InvalidSetting(f"MILEPOST_CHECKPOINT_KEY: {error}") from error
    if len(names) > 1:
        raise InvalidSetting("MILEPOST_CHECKPOINT_KEY: the keys of one log have one name")
    return given


def _checkpoint_trusted(value: str | None) -> tuple[str, ...]:
    given = _listed(value)
    try:
        for key in given:
            PublicKey.parse(key)
    except InvalidKey as error:
        raise InvalidSetting(f"MILEPOST_CHECKPOINT_TRUSTED: {error}") from error
    return given


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _folder(value: str | None) -> Path | None:
    if value and not Path(value).is_dir():
        raise InvalidSetting(f"MILEPOST_WORKFLOWS: {value} is not a folder")
    return Path(value) if value else None


def _cipher(env: _Environment) -> dict[str, str]:
    # The names are the eventsourcing library's.
    names = ("CIPHER_TOPIC", "CIPHER_KEY", "COMPRESSOR_TOPIC")
    given = {name: value for name in names if (value := env.get(name))}
    if "CIPHER_KEY" in given:
        given.setdefault("CIPHER_TOPIC", CIPHER)
        try:
            key = base64.b64decode(given["CIPHER_KEY"], validate=True)
        except binascii.Error:
            key = b""
        if len(key) not in (16, 24, 32):
            raise InvalidSetting("CIPHER_KEY: wants 16, 24 or 32 bytes in base64")
    elif "CIPHER_TOPIC" in given:
        raise InvalidSetting("CIPHER_KEY: is needed with CIPHER_TOPIC")
    for name in ("CIPHER_TOPIC", "COMPRESSOR_TOPIC"):
        if name in given:
            try:
                resolve_topic(given[name])
            except TopicError as error:
                raise InvalidSetting(f"{name}: {error}") from error
    return given

"""Checks of the variables that need no file of their own: URLs, keys, networks and folders."""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_network
from pathlib import Path

from api.settings.checks.sqlite_file import SCHEME, checked_url, url_of
from api.settings.checks.web_urls import as_browsers_write, is_url
from api.settings.postgres_url import parts_of
from api.settings.variables import InvalidSetting, Variables
from domain.evidence.signing_keys import InvalidKey, PrivateKey, PublicKey

CIPHER = "eventsourcing.cryptography:AESCipher"


def database_url(url: str | None, home: Path) -> str:
    """Return the database's URL; without one, an SQLite file in `home`."""
    if url is None:
        return checked_url(url_of(home / "milepost.db"))
    if url.startswith(SCHEME):
        return checked_url(url)
    if url.startswith(("postgresql://", "postgres://")):
        _check_conninfo(url)
        return url
    raise InvalidSetting("MILEPOST_DATABASE_URL: must be sqlite:////PATH or postgresql://…")


def _check_conninfo(url: str) -> None:
    # The message leaves out the URL, which contains the password.
    fault = (
        "MILEPOST_DATABASE_URL: PostgreSQL does not understand this URL; "
        "percent-encode special characters in the password, and write the port in digits"
    )
    try:
        parts = parts_of(url)
    except ValueError:
        option = _unknown_option(url)
        raise InvalidSetting(
            f"MILEPOST_DATABASE_URL: PostgreSQL's libpq has no option {option[:40]!r} for the part "
            "behind the ?; take it out, or correct its name or its form, as in ?sslmode=verify-full"
            if option
            else fault
        ) from None
    ports = str(parts.get("port") or "").split(",")
    if "@" in str(parts.get("host") or "") or not all(p.isdigit() or p == "" for p in ports):
        raise InvalidSetting(fault)


def _unknown_option(url: str) -> str:
    """Return the name of the option in the URL that libpq refuses, or nothing.

    What may be a part of the password is never returned: nothing is, unless a user stands before
    the query, or nobody at all.
    """
    place, _, query = url.rpartition("?")
    is_after_user = "@" in place or ":" not in place.partition("://")[2]
    if "@" in query or not is_after_user or not _is_understood(place):
        return ""
    for option in query.split("&"):
        if not _is_understood(f"postgresql://?{option}"):
            return option.partition("=")[0]
    return ""


def _is_understood(url: str) -> bool:
    try:
        parts_of(url)
    except ValueError:
        return False
    return True


def public_url(value: str | None) -> str:
    """Return the URL under which others reach Milepost, as `as_browsers_write` has it."""
    if value is None:
        return ""
    if not is_url(value):
        raise InvalidSetting(
            "MILEPOST_PUBLIC_URL: must be a URL like https://milepost.example, without a query, or "
            "with its host as xn--… if that has letters beyond ASCII"
        )
    return as_browsers_write(value)


def checkpoint_keys(value: str | None) -> tuple[str, ...]:
    """Return the private keys that sign checkpoints."""
    given = _listed(value)
    try:
        names = {PrivateKey.parse(key).name for key in given}
    except InvalidKey as error:
        raise InvalidSetting(f"MILEPOST_CHECKPOINT_KEY: {error}") from error
    if len(names) > 1:
        raise InvalidSetting("MILEPOST_CHECKPOINT_KEY: all keys of one log must have the same name")
    return given


def checkpoint_trusted(value: str | None) -> tuple[str, ...]:
    """Return the public keys of others whose checkpoints are trusted."""
    given = _listed(value)
    try:
        for key in given:
            PublicKey.parse(key)
    except InvalidKey as error:
        raise InvalidSetting(f"MILEPOST_CHECKPOINT_TRUSTED: {error}") from error
    return given


def trusted_proxies(env: Variables) -> tuple[str, ...]:
    """Return the addresses and networks of the proxies whose word about their clients counts."""
    name = "MILEPOST_TRUSTED_PROXIES"
    given = env.listed(name)
    for network in given:
        try:
            ip_network(network)
        except ValueError:
            raise InvalidSetting(
                f"{name}: {network[:50]!r} must be an address, or a network such as 10.0.0.0/8"
            ) from None
    return given


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def workflows_folder(value: str | None) -> Path | None:
    """Return the folder of workflow definitions."""
    if value and not Path(value).is_dir():
        raise InvalidSetting(f"MILEPOST_WORKFLOWS: {value} is not a folder")
    return Path(value) if value else None


def store_settings(env: Variables) -> dict[str, str]:
    """Return the eventsourcing library's settings for cipher and compressor."""
    names = ("CIPHER_TOPIC", "CIPHER_KEY", "COMPRESSOR_TOPIC")
    given = {name: value for name in names if (value := env.get(name))}
    if "CIPHER_KEY" in given:
        given.setdefault("CIPHER_TOPIC", CIPHER)
        try:
            key = base64.b64decode(given["CIPHER_KEY"], validate=True)
        except binascii.Error:
            key = b""
        if len(key) not in (16, 24, 32):
            raise InvalidSetting("CIPHER_KEY: must be 16, 24 or 32 bytes in base64")
    elif "CIPHER_TOPIC" in given:
        raise InvalidSetting("CIPHER_KEY: must be set if CIPHER_TOPIC is set")
    for name in ("CIPHER_TOPIC", "COMPRESSOR_TOPIC"):
        if name in given:
            # Commands that only speak to a server need no library of the store.
            from eventsourcing.utils import TopicError, resolve_topic

            try:
                resolve_topic(given[name])
            except TopicError as error:
                raise InvalidSetting(f"{name}: {error}") from error
    return given

"""Checks of secrets and of the admin token: long enough, and each for one purpose."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from api.settings.variables import InvalidSetting, Variables

MIN_LONG_SECRET = 32
"""How many characters a secret has at least from which keys are derived, or that signs links."""


def callback_secrets(env: Variables) -> tuple[str, ...]:
    """Return the secrets that sign callbacks."""
    name = "MILEPOST_CALLBACK_SECRET"
    if env.get(name) is None:
        name = "GITHUB_CALLBACK_SECRET"
    return checked_secrets(name, env.listed(name)) if env.get(name) else ()


def checked_secrets(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return secrets that can sign callbacks; an error begins with the name."""
    for secret in given:
        try:
            callback_secret(secret)
        except InvalidSetting as error:
            raise InvalidSetting(f"{name}: {error}") from None
    if not given:
        raise InvalidSetting(f"{name}: contains no secret")
    return tuple(given)


def _long_secrets(env: Variables, name: str) -> tuple[str, ...]:
    given = env.listed(name)
    if env.get(name) and not given:
        raise InvalidSetting(f"{name}: contains no secret")
    for secret in given:
        try:
            long_secret(secret)
        except InvalidSetting as error:
            raise InvalidSetting(f"{name}: {error}") from None
    return given


def job_key_secrets(env: Variables) -> tuple[str, ...]:
    """Return the secrets that the keys of jobs are derived from, the newest one first."""
    name = "MILEPOST_JOB_KEY_SECRET"
    given = _long_secrets(env, name)
    if set(given).intersection(callback_secrets(env)):
        raise InvalidSetting(
            f"{name}: must not be a callback secret, whose holders could derive every job's key"
        )
    return given


def link_secrets(env: Variables) -> tuple[str, ...]:
    """Return the secrets that sign links, the newest one first."""
    name = "MILEPOST_LINK_SECRET"
    given = _long_secrets(env, name)
    if set(given).intersection((*callback_secrets(env), *job_key_secrets(env))):
        raise InvalidSetting(
            f"{name}: must be no callback or job key secret, whose holders could make links"
        )
    return given


def callback_secret(secret: str) -> str:
    """Return a secret that signs callbacks; the message of a fault names no variable."""
    if len(secret) < 8:
        raise InvalidSetting("a secret must have at least 8 characters")
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise InvalidSetting("base64 must follow whsec_") from None
        if len(key) < 8:
            raise InvalidSetting("a whsec_ key must have at least 8 bytes")
    return secret


def long_secret(secret: str) -> str:
    """Return a secret that keys are derived from; a fault names no variable."""
    if len(secret) < MIN_LONG_SECRET:
        # Who holds one job's key, or one link, can try out guesses of a short secret by himself.
        raise InvalidSetting(
            f"a secret must have at least {MIN_LONG_SECRET} random characters; "
            "openssl rand -base64 32 makes one"
        )
    return secret


def admin_token(value: str | None) -> str:
    """Return the admin token, or an empty text if the settings have no token."""
    if value and (len(value) < 16 or not all("!" <= character <= "~" for character in value)):
        raise InvalidSetting(
            "MILEPOST_ADMIN_TOKEN: must be 16 or more ASCII characters without spaces"
        )
    return value or ""

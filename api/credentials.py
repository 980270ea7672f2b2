"""Credentials that nobody configured: made once, kept in `MILEPOST_HOME`, readable by its user."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from api.config import InvalidSetting, Settings, make_folder

GENERATED = {"callback secret": "callback-secret", "admin token": "admin-token"}


def with_credentials(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """Fill in the credentials that are not configured from `MILEPOST_HOME`, making them once.

    Returns the settings and the credentials that were made just now, by name.
    """
    made: dict[str, str] = {}
    generated: list[str] = []
    found: dict[str, str] = {}
    configured = {
        "callback secret": bool(settings.callback_secrets),
        "admin token": bool(settings.admin_token),
    }
    for name, file_name in GENERATED.items():
        if configured[name]:
            continue
        found[name], new = _kept_secret(settings.home / file_name)
        generated.append(name)
        if new:
            made[name] = found[name]
    filled = msgspec.structs.replace(
        settings,
        callback_secrets=settings.callback_secrets or (found["callback secret"],),
        admin_token=settings.admin_token or found["admin token"],
        generated=tuple(generated),
    )
    return filled, made


def credential_files(settings: Settings) -> list[Path]:
    """Return where the credentials that Milepost made are kept."""
    return [settings.home / GENERATED[name] for name in settings.generated]


def _kept_secret(path: Path) -> tuple[str, bool]:
    """Return the secret in the file, and whether it was made just now."""
    make_folder("MILEPOST_HOME", path.parent)
    if not path.exists():
        secret = secrets.token_urlsafe(32)
        # Written whole before it gets its name, and named by one of those who start together.
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            draft.touch(mode=0o600)
            draft.write_text(secret + "\n", encoding="ascii")
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise InvalidSetting(f"MILEPOST_HOME: {path}: {error.strerror}") from error
        else:
            return secret, True
        finally:
            draft.unlink(missing_ok=True)
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"MILEPOST_HOME: {path} cannot be read: {error}") from error
    if not secret:
        raise InvalidSetting(f"{path} is empty; delete it to get a new one")
    return secret, False

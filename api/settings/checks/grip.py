"""Pushpin, which holds streams for Milepost: where to publish to it, and its key."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import urlsplit

from api.settings.variables import InvalidSetting, Variables

URIS, KEY = "MILEPOST_GRIP_CONTROL_URI", "MILEPOST_GRIP_KEY"
LEAST_BYTES: Final = 16


def grip(env: Variables) -> tuple[tuple[str, ...], bytes]:
    """Return the control addresses of the proxies and the key that they sign with, or neither."""
    uris, given = env.listed(URIS), env.get(KEY)
    for uri in uris:
        if not _is_address(uri):
            raise InvalidSetting(
                f"{URIS}: {uri[:50]!r} must be the address of Pushpin's control port, such as "
                "http://127.0.0.1:5561"
            )
    if bool(uris) != bool(given):
        missing, there = (KEY, URIS) if uris else (URIS, KEY)
        raise InvalidSetting(f"{missing}: must be set if {there} is set")
    return tuple(uri.rstrip("/") for uri in uris), _key(given) if given else b""


def _is_address(uri: str) -> bool:
    parts = urlsplit(uri)
    try:
        has_port = parts.port is not None
    except ValueError:
        return False
    is_plain = parts.scheme == "http" and parts.hostname and not parts.username
    return bool(is_plain and has_port and not (parts.query or parts.fragment))


def _key(given: str) -> bytes:
    # Pushpin's `sig_key` is written the same way.
    key = given.encode()
    if given.startswith("base64:"):
        try:
            key = base64.b64decode(given.removeprefix("base64:"), validate=True)
        except binascii.Error:
            raise InvalidSetting(f"{KEY}: base64 must follow base64:") from None
    if len(key) < LEAST_BYTES:
        raise InvalidSetting(
            f"{KEY}: must be the sig_key of Pushpin, with at least {LEAST_BYTES} bytes"
        )
    return key

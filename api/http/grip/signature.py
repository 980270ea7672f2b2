"""Whether a request came through the proxy: it signs each one in `Grip-Sig`, a JWT (RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime

import msgspec

from api.http.headers import Headers


class _Head(msgspec.Struct):
    alg: str


class _Claims(msgspec.Struct):
    exp: int


def came_through(header: Headers, key: bytes, now: datetime) -> bool:
    """Tell whether a proxy with this key signed the request, and its time is not over."""
    given = header("Grip-Sig")
    if given is None or not key or not given.isascii():
        return False
    signed, _, signature = given.rpartition(".")
    head, _, claims = signed.partition(".")
    try:
        expected = hmac.digest(key, signed.encode(), "sha256")
        return (
            hmac.compare_digest(_decoded(signature), expected)
            and msgspec.json.decode(_decoded(head), type=_Head).alg == "HS256"
            and msgspec.json.decode(_decoded(claims), type=_Claims).exp > now.timestamp()
        )
    except (binascii.Error, msgspec.DecodeError):
        return False


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

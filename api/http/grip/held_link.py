"""The link at which the proxy asks for what a held stream may have missed.

The proxy sends no token of the stream's reader with it. So the link itself names the reader's
token, and is sealed. It is a path without a query: the proxy lets readers whose links have one path
share an answer, whatever their queries say.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

import msgspec

from api.errors import InvalidToken
from api.sessions import issuer_of
from api.tokens import ADMIN, ADMIN_PRINCIPAL, Principal, by_id
from api.wiring import Services
from domain.log.store import translated

PATH: Final = "/api/held/"
SEAL_BYTES: Final = 16


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A stream that the proxy holds: of a job, or of an agent, for the holder of a token.

    `issuer` names the token, as sessions do; `after` is a position that the reader has seen. If he
    came by a signed link, `until` is when that expires, in seconds since 1970.
    """

    issuer: str
    after: int
    job_id: str | None = None
    agent_id: str | None = None
    until: int | None = None


def path_of(held: Held, key: bytes) -> str:
    """Return the path of a held stream."""
    payload = msgspec.json.encode(held)
    sealed = base64.urlsafe_b64encode(payload + _seal(payload, key))
    return PATH + sealed.rstrip(b"=").decode()


def opened(sealed: str, key: bytes) -> Held | None:
    """Return the held stream that a path names; None if Milepost did not make the path."""
    try:
        both = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    except binascii.Error:
        return None
    payload, seal = both[:-SEAL_BYTES], both[-SEAL_BYTES:]
    if not key or not hmac.compare_digest(seal, _seal(payload, key)):
        return None
    return msgspec.json.decode(payload, type=Held)


def holder(held: Held, services: Services) -> Principal:
    """Return the holder of the token that a held stream is for, with the rights of now.

    Raises `InvalidToken`.
    """
    admin_token, now = services.settings.admin_token, services.clock()
    if held.until is not None and held.until <= now.timestamp():
        raise InvalidToken
    if admin_token and hmac.compare_digest(held.issuer, issuer_of(ADMIN, admin_token)):
        caller = ADMIN_PRINCIPAL
    else:
        with translated():
            caller = by_id(held.issuer, services.tokens, now)
    return msgspec.structs.replace(caller, until=held.until)


def _seal(payload: bytes, key: bytes) -> bytes:
    # The proxy signs other texts with this key: none of them begins so.
    return hmac.digest(key, b"milepost held stream\n" + payload, "sha256")[:SEAL_BYTES]

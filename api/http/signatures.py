"""Who sent a callback: the three signature schemes, chosen by the headers that are present.

- `x-signature`: lower-case hex of HMAC-SHA256(secret, body) (seed contract)
- `x-hub-signature-256`: `sha256=` and the same hex (GitHub webhooks)
- `webhook-id`, `webhook-timestamp`, `webhook-signature`: Standard Webhooks, `v1` symmetric

The scheme is chosen by the first of `webhook-*`, `X-Hub-Signature-256` and `X-Signature` that is
there, and must then be satisfied; there is no falling back to another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

import msgspec

from api.errors import InvalidSignature
from api.http.headers import Headers

WINDOW_SECONDS = 300
"""How far a Standard Webhooks timestamp may be from our clock."""
MAX_SIGNATURES = 16
STANDARD_WEBHOOKS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Sender(msgspec.Struct, frozen=True, gc=False):
    """A verified sender: scheme and key as recorded, and the delivery's id if it was signed."""

    signed_by: str
    callback_id: str | None = None


def verify(
    header: Headers, body: bytes, secrets: Sequence[str], clock: Callable[[], datetime]
) -> Sender:
    """Return who signed the body with one of the secrets; raise `InvalidSignature` otherwise."""
    if not secrets:
        raise InvalidSignature("The server has no callback secret.")
    if any(header(name) is not None for name in STANDARD_WEBHOOKS):
        return _standard_webhooks(header, body, secrets, clock())
    if (given := header("X-Hub-Signature-256")) is not None:
        if not given.startswith("sha256="):
            raise InvalidSignature("X-Hub-Signature-256 does not begin with sha256=.")
        return _hex("x-hub-signature-256", given.removeprefix("sha256="), body, secrets)
    if (given := header("X-Signature")) is not None:
        return _hex("x-signature", given, body, secrets)
    raise InvalidSignature("There is no signature header.")


def _hex(scheme: str, given: str, body: bytes, secrets: Sequence[str]) -> Sender:
    # Bytes, because compare_digest refuses a str that is not ASCII.
    signature = given.encode("utf-8", "surrogateescape")
    for secret in secrets:
        expected = _mac(secret.encode(), body)
        if hmac.compare_digest(signature, expected.hexdigest().encode()):
            return Sender(f"{scheme}:{key_id(secret)}")
    raise InvalidSignature


def _standard_webhooks(
    header: Headers, body: bytes, secrets: Sequence[str], now: datetime
) -> Sender:
    message_id, timestamp, listed = (header(name) or "" for name in STANDARD_WEBHOOKS)
    given = listed.split(" ")[:MAX_SIGNATURES]
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise InvalidSignature("webhook-id, webhook-timestamp and webhook-signature are needed.")
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        raise InvalidSignature(f"webhook-timestamp is more than {WINDOW_SECONDS} s from now.")
    message = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    signatures = [_decoded(each.removeprefix("v1,")) for each in given if each.startswith("v1,")]
    for secret in secrets:
        expected = _mac(standard_key(secret), message).digest()
        if any([hmac.compare_digest(each, expected) for each in signatures]):  # noqa: C419
            return Sender(f"standard-webhooks:{key_id(secret)}", message_id)
    raise InvalidSignature


def _mac(key: bytes, message: bytes) -> hmac.HMAC:
    # A copy of a keyed one costs half of hmac.digest, which also gives the interpreter away.
    mac = _keyed(key).copy()
    mac.update(message)
    return mac


@cache
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def standard_key(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret: base64 after `whsec_`, else the text itself."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


@cache
def key_id(secret: str) -> str:
    """Return eight hex digits that name a secret in the log without helping to guess it."""
    # scrypt, so that trying out guesses against a leaked log is slow.
    salt = b"milepost key id"
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature.encode("utf-8", "surrogateescape"), validate=True)
    except binascii.Error:
        return b""

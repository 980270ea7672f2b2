"""Who sent a callback: the three signature schemes, chosen by the headers that are present.

- `x-signature`: hex of HMAC-SHA256(secret, body), lower-case (seed contract) or upper-case
- `x-hub-signature-256`: `sha256=` and the same hex (GitHub webhooks)
- `webhook-id`, `webhook-timestamp`, `webhook-signature`: Standard Webhooks, `v1` symmetric.
  `svix-id`, `svix-timestamp` and `svix-signature` are older names of the same headers.

The scheme is chosen by the first of `webhook-*`, `svix-*`, `X-Hub-Signature-256` and `X-Signature`
that is there, and must then be satisfied; there is no falling back to another one. Only Standard
Webhooks signs the time: a callback that was captured under another scheme can be sent again for
ever.
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

from api.errors import InvalidSignature, UndatedSignature
from api.http.headers import Headers

WINDOW_SECONDS = 300
"""How far a Standard Webhooks timestamp may be from our clock."""
MAX_SIGNATURES = 16
MAX_SLIP_BYTES = 64 * 1024
STANDARD_WEBHOOKS = ("webhook-id", "webhook-timestamp", "webhook-signature")
SVIX = ("svix-id", "svix-timestamp", "svix-signature")


class Sender(msgspec.Struct, frozen=True, gc=False):
    """A verified sender: scheme and key as recorded, and the delivery's id if it was signed."""

    signed_by: str
    callback_id: str | None = None


def verify(
    header: Headers,
    body: bytes,
    secrets: Sequence[str],
    clock: Callable[[], datetime],
    *,
    dated: bool = False,
) -> Sender:
    """Return who signed the body with one of the secrets; raise `InvalidSignature` otherwise.

    If the signature has to be `dated`, raise `UndatedSignature` for one without a time.
    """
    if not secrets:
        raise InvalidSignature("The server has no callback secret.")
    for names in (STANDARD_WEBHOOKS, SVIX):
        if any(header(name) is not None for name in names):
            return _standard_webhooks(
                [header(name) or "" for name in names], body, secrets, clock()
            )
    if dated:
        raise UndatedSignature
    if (given := header("X-Hub-Signature-256")) is not None:
        if not given.startswith("sha256="):
            raise InvalidSignature("X-Hub-Signature-256 does not begin with sha256=.")
        return _hex("x-hub-signature-256", given.removeprefix("sha256="), body, secrets)
    if (given := header("X-Signature")) is not None:
        return _hex("x-signature", given, body, secrets)
    raise InvalidSignature("There is no signature header.")


def _hex(scheme: str, given: str, body: bytes, secrets: Sequence[str]) -> Sender:
    # Bytes, because compare_digest refuses a str that is not ASCII.
    signature = given.encode("utf-8", "surrogateescape").lower()

    def signs(key: str, message: bytes) -> bool:
        expected = _mac(key.encode(), message).hexdigest().encode()
        return hmac.compare_digest(signature, expected)

    for secret in secrets:
        if signs(secret, body):
            return Sender(f"{scheme}:{key_id(secret)}")
    raise InvalidSignature(_slip(secrets, body, signs))


def _standard_webhooks(
    given: Sequence[str], body: bytes, secrets: Sequence[str], now: datetime
) -> Sender:
    message_id, timestamp, listed = given
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise InvalidSignature("webhook-id, webhook-timestamp and webhook-signature are needed.")
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        raise InvalidSignature(f"webhook-timestamp is more than {WINDOW_SECONDS} s from now.")
    head = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape")
    words = listed.split(" ")[:MAX_SIGNATURES]
    signatures = [_decoded(each.removeprefix("v1,")) for each in words if each.startswith("v1,")]

    def signs(key: str, message: bytes) -> bool:
        expected = _mac(standard_key(key), head + message).digest()
        return any([hmac.compare_digest(each, expected) for each in signatures])  # noqa: C419

    for secret in secrets:
        if signs(secret, body):
            return Sender(f"standard-webhooks:{key_id(secret)}", message_id)
    raise InvalidSignature(_slip(secrets, body, signs))


def _slip(secrets: Sequence[str], body: bytes, signs: Callable[[str, bytes], bool]) -> str:
    """Name the usual slip that explains a wrong signature; empty if none does.

    Only a sender that has the secret can learn anything from it.
    """
    if len(body) > MAX_SLIP_BYTES:
        return ""  # a stranger must not make us compute many signatures of large bodies
    for secret in secrets:
        if secret.startswith("whsec_"):
            continue
        if any(signs(f"{secret}{end}", body) for end in ("\n", "\r\n")):
            return "The sender's secret has a newline at its end; write it with printf, not echo."
        if any(signs(part.strip(), body) for part in secret.split(",") if part != secret):
            return "The signature fits a part of a secret; a secret file has one secret a line."
        if signs(secret, body + b"\n") or signs(secret, body.rstrip(b"\r\n")):
            return "The signed body and the sent body differ in a newline at the end."
    return ""


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

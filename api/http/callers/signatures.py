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
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from api.errors import InvalidSignature, UndatedSignature
from api.http.callers.near_misses import misshapen, mistimed, unsigned
from api.http.headers import Headers
from api.senders.signing_key import SigningKey
from domain.job.mandate import Mandate

WINDOW_SECONDS = 300
"""How far a Standard Webhooks timestamp may be from our clock."""
MAX_SIGNATURES = 16
MAX_SLIP_BYTES = 64 * 1024
"""How many bytes are signed once more, with all keys together, to find each slip."""
LEAST_SLIP_BYTES = 2 * 1024
"""What a short body counts as: to begin with a key takes as long as so many bytes."""
STANDARD_WEBHOOKS = ("webhook-id", "webhook-timestamp", "webhook-signature")
SVIX = ("svix-id", "svix-timestamp", "svix-signature")


class Sender(msgspec.Struct, frozen=True, gc=False):
    """A verified sender: scheme and key as recorded, and the delivery's id if it was signed.

    `mandate` says which jobs it may report on; None for all.
    """

    signed_by: str
    callback_id: str | None = None
    mandate: Mandate | None = None

    @property
    def job_id(self) -> str | None:
        """The one job whose own key signed; None if the key is for more jobs."""
        return self.mandate.job_id if self.mandate else None


def verify(
    header: Headers,
    body: bytes,
    keys: Sequence[SigningKey],
    clock: Callable[[], datetime],
    *,
    dated: bool = False,
) -> Sender:
    """Return who signed the body with one of the keys; raise `InvalidSignature` otherwise.

    If the signature has to be `dated`, raise `UndatedSignature` for one without a time.
    """
    if not keys:
        raise InvalidSignature("The server has no callback secret.")
    for names in (STANDARD_WEBHOOKS, SVIX):
        if any(header(name) is not None for name in names):
            return _standard_webhooks([header(name) or "" for name in names], body, keys, clock())
    if dated:
        raise UndatedSignature
    if (given := header("X-Hub-Signature-256")) is not None:
        if not given.startswith("sha256="):
            raise InvalidSignature("X-Hub-Signature-256 does not begin with sha256=.")
        return _hex("x-hub-signature-256", given.removeprefix("sha256="), body, keys)
    if (given := header("X-Signature")) is not None:
        return _hex("x-signature", given, body, keys)
    raise InvalidSignature(unsigned(header))


def _hex(scheme: str, given: str, body: bytes, keys: Sequence[SigningKey]) -> Sender:
    # Bytes, because compare_digest refuses a str that is not ASCII.
    signature = given.encode("utf-8", "surrogateescape").lower()

    def signs(key: SigningKey, message: bytes) -> bool:
        return hmac.compare_digest(signature, key.mac(message).hexdigest().encode())

    def signs_otherwise(key: SigningKey, message: bytes) -> bool:
        return hmac.compare_digest(signature, key.standard_mac(message).hexdigest().encode())

    for key in keys:
        if signs(key, body):
            return Sender(f"{scheme}:{key.name}", None, key.mandate)
    if wrong := misshapen(scheme.title(), given):
        raise InvalidSignature(wrong)
    raise _slipped(keys, body, signs, signs_otherwise)


def _standard_webhooks(
    given: Sequence[str], body: bytes, keys: Sequence[SigningKey], now: datetime
) -> Sender:
    message_id, timestamp, listed = given
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        needed = "webhook-id, webhook-timestamp and webhook-signature are needed."
        raise InvalidSignature(mistimed(timestamp) or needed)
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        raise InvalidSignature(
            f"webhook-timestamp is more than {WINDOW_SECONDS} s from now; it is the time of this "
            "request, in seconds since 1970."
        )
    head = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape")
    words = listed.split(" ")[:MAX_SIGNATURES]
    signatures = [_decoded(each.removeprefix("v1,")) for each in words if each.startswith("v1,")]

    def signs(key: SigningKey, message: bytes) -> bool:
        expected = key.standard_mac(head + message).digest()
        return any([hmac.compare_digest(each, expected) for each in signatures])  # noqa: C419

    def signs_otherwise(key: SigningKey, message: bytes) -> bool:
        expected = key.mac(head + message).digest()
        return any([hmac.compare_digest(each, expected) for each in signatures])  # noqa: C419

    for key in keys:
        if signs(key, body):
            return Sender(f"standard-webhooks:{key.name}", message_id, key.mandate)
    raise _slipped(keys, body, signs, signs_otherwise)


def _slipped(
    keys: Sequence[SigningKey],
    body: bytes,
    signs: Callable[[SigningKey, bytes], bool],
    signs_otherwise: Callable[[SigningKey, bytes], bool],
) -> InvalidSignature:
    slip = _slip(keys, body, signs, signs_otherwise)
    return InvalidSignature(slip, by_holder=bool(slip))


def _slip(
    keys: Sequence[SigningKey],
    body: bytes,
    signs: Callable[[SigningKey, bytes], bool],
    signs_otherwise: Callable[[SigningKey, bytes], bool],
) -> str:
    """Name the usual slip that explains a wrong signature; empty if none does.

    `signs_otherwise` takes a key as the other kind of scheme takes it, as text or as bytes.
    Only a sender that has the secret can learn anything from it.
    """
    # A stranger must not make us compute many signatures. With 100 named senders, 64 KiB of his
    # held up the event loop for 25 ms. So the first keys are looked at, and none for larger bodies.
    for key in keys[: MAX_SLIP_BYTES // max(len(body), LEAST_SLIP_BYTES)]:
        if signs_otherwise(key, body):
            return (
                "X-Signature takes the whole text of a whsec_ secret as the key, and Standard "
                "Webhooks the bytes that the base64 after whsec_ stands for."
            )
        if signs(key, body + b"\n") or signs(key, body.rstrip(b"\r\n")):
            return "The signed body and the sent body differ in a newline at the end."
        secret = key.secret
        if secret.startswith("whsec_"):
            continue
        # A shell takes the line feed off a file that was written on Windows, and leaves "\r".
        if any(signs(SigningKey(f"{secret}{end}"), body) for end in ("\n", "\r\n", "\r")):
            return "The sender's secret has a newline at its end; write it with printf, not echo."
        if signs(SigningKey(f'"{secret}"'), body):
            return "The sender's secret has quotation marks around it, which are no part of it."
        parts = (part.strip() for part in secret.split(",") if part != secret)
        if any(signs(SigningKey(part), body) for part in parts):
            return "The signature fits a part of a secret; a secret file has one secret a line."
    return ""


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature.encode("utf-8", "surrogateescape"), validate=True)
    except binascii.Error:
        return b""

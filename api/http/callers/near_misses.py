"""Words for requests that are nearly signed. They follow from the headers alone, and from no key.

So a stranger learns the same from them as a sender that has the secret.
"""

from __future__ import annotations

from string import hexdigits
from typing import Final

from api.http.headers import Headers

WANTED: Final = {
    "X-Signature": "the hex of HMAC-SHA256(secret, body), which is 64 digits, and nothing else",
    "X-Hub-Signature-256": "sha256=, then the hex of HMAC-SHA256(secret, body), which is 64 digits",
}
"""The forms of signatures in hex, by their headers."""
HEX_DIGITS: Final = 64
BASE64_LENGTHS: Final = (43, 44)
"""How long the base64 of an HMAC-SHA256 is, without and with its end."""
MILLISECOND_DIGITS: Final = 13
"""How many digits the milliseconds since 1970 have, from 2001 to 2286."""


def misshapen(header: str, signature: str) -> str | None:
    """Say what is wrong with the form of a signature in hex; None if nothing is.

    The signature comes without the prefix that belongs to its header.
    """
    if len(signature) == HEX_DIGITS and all(digit in hexdigits for digit in signature):
        return None
    if header == "X-Signature" and signature.startswith("sha256="):
        what = "begins with sha256=, which belongs to X-Hub-Signature-256 only"
    elif len(signature) in BASE64_LENGTHS:
        what = "seems to be base64"
    else:
        what = f"is not {HEX_DIGITS} hex digits"
    return f"{header} {what}. It must be {WANTED[header]}."


def mistimed(timestamp: str) -> str | None:
    """Say that a `webhook-timestamp` is in milliseconds, if it is."""
    if len(timestamp) == MILLISECOND_DIGITS and timestamp.isascii() and timestamp.isdigit():
        return "webhook-timestamp is in milliseconds. It must be in seconds since 1970."
    return None


def unsigned(header: Headers) -> str:
    """Say what a request lacks that has no header of a signature."""
    if header("X-Hub-Signature") is not None:
        return (
            "X-Hub-Signature is made with SHA-1, and X-Hub-Signature-256 is needed. It is "
            f"{WANTED['X-Hub-Signature-256']}."
        )
    if header("Authorization") is not None:
        return (
            "There is no signature header. Callbacks are signed; tokens are for reads and for "
            f"commands. Send X-Signature: it is {WANTED['X-Signature']}."
        )
    return "There is no signature header."

"""Signed links: a link opens one path for reading, until it expires, to whoever has it.

A link stands for the token of its issuer. So it gives no more than that token gives, and ends with
it. Its text is `<expiry>.<token id>.<mac>`: the expiry in seconds since 1970, and an HMAC-SHA256 in
base64 under a key that is derived from a secret of links alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.errors import InvalidLink, InvalidToken, MissingScope, NoLinkSecret
from api.tokens import ADMIN, ADMIN_PRINCIPAL, Principal, TokenLookup, by_id

NAME: Final = "link"
"""The parameter of a URL that has a link's text."""
MAX_LENGTH: Final = 200
"""A longer text is no link. Nothing is computed for it."""
KEY_BYTES: Final = 32


class Links:
    """Makes links with the newest of some secrets, and takes those made with any of them."""

    def __init__(self, secrets: Sequence[str], admin_token: str) -> None:
        self._keys = [_key(secret) for secret in secrets]
        # Links of the admin token end when another one is set.
        self._admin = hashlib.sha256(admin_token.encode()).digest() if admin_token else None

    def make(self, path: str, issuer: str, expires: int) -> str:
        """Return a link's text for a path, in the name of the token with this id.

        `expires` is a time in seconds since 1970. Raises `NoLinkSecret`.
        """
        if not self._keys:
            raise NoLinkSecret
        return f"{expires}.{issuer}.{self._mac(self._keys[0], path, issuer, str(expires))}"

    def holder(
        self, link: str, path: str, tokens: TokenLookup, clock: Callable[[], datetime]
    ) -> Principal:
        """Return who asks for a path with a link: its issuer, who may do no more than read.

        Raises `InvalidLink`, or `MissingScope` if the issuer's token may not read.
        """
        expires, _, rest = link.partition(".")
        issuer, _, mac = rest.partition(".")
        given = mac.encode("utf-8", "surrogatepass")
        # The MAC goes first, so that nothing else of a forged link is looked at.
        is_link = len(link) <= MAX_LENGTH
        signed = [
            hmac.compare_digest(given, self._mac(key, path, issuer, expires).encode())
            for key in self._keys
            if is_link
        ]
        if not any(signed) or int(expires) <= (now := clock()).timestamp():
            raise InvalidLink
        caller = self._issuer(issuer, tokens, now)
        if not caller.may("read"):
            raise MissingScope(f"The token {caller.name!r} lacks the scope 'read'.")
        return msgspec.structs.replace(caller, scopes=frozenset({"read"}), until=int(expires))

    def _issuer(self, issuer: str, tokens: TokenLookup, now: datetime) -> Principal:
        if issuer == ADMIN:
            if self._admin is None:
                raise InvalidLink
            return ADMIN_PRINCIPAL
        try:
            return by_id(issuer, tokens, now)
        except InvalidToken:
            raise InvalidLink from None

    def _mac(self, key: hmac.HMAC, path: str, issuer: str, expires: str) -> str:
        # The path comes last: it alone may contain the character that separates.
        said = "\n".join(("GET", expires, issuer, path)).encode("utf-8", "surrogatepass")
        mac = key.copy()
        mac.update((self._admin or b"") + said if issuer == ADMIN else said)
        return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def _key(secret: str) -> hmac.HMAC:
    """Return the key of a secret's links, by HKDF-SHA256 (RFC 5869)."""
    derived = HKDF(SHA256(), KEY_BYTES, salt=b"milepost link", info=b"").derive(secret.encode())
    return hmac.new(derived, digestmod="sha256")

"""Access tokens: the CLI makes a token and shows it once; the database stores only its hash.

A token has scopes, and a user if it is bound to one. The stores beside this file (`memory.py`,
`sqlite.py`, `postgres.py`) are in the database of the events; `remembered.py` caches tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, Protocol, get_args

import msgspec

from api.errors import InvalidToken

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Token(msgspec.Struct, frozen=True):
    """A stored token. `hash` is the SHA-256 of the secret text, in hex; `scopes` are sorted.

    A plain hash is enough: a secret of 256 random bits cannot be guessed.
    """

    id: str
    name: str
    hash: str
    scopes: str
    user_id: str | None
    created_at: str
    revoked_at: str | None = None


class Principal(msgspec.Struct, frozen=True):
    """The sender of a request, with its scopes; if `user_id` is set, for that user's jobs only."""

    name: str
    scopes: frozenset[str]
    user_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether the scope is granted; `admin` includes every other."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, user_id: str | None) -> bool:
        """Tell whether the sender may see the jobs of that user."""
        return self.user_id is None or self.user_id == user_id


class TokenLookup(Protocol):
    """Finds tokens by id."""

    def find(self, token_id: str) -> Token | None:
        """Return a token by its id, revoked ones too."""
        ...


class TokenStore(TokenLookup, Protocol):
    """Stores tokens."""

    def add(self, token: Token) -> None:
        """Store a new token."""
        ...

    def all(self) -> Sequence[Token]:
        """Return every token, the oldest first."""
        ...

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """Revoke a token for ever; return False if no valid token has this id."""
        ...


def create(
    store: TokenStore, name: str, scopes: Collection[Scope], user_id: str | None, now: datetime
) -> tuple[Token, str]:
    """Make and store a token; return it with its text, which is not stored."""
    token_id = secrets.token_hex(6)
    text = f"mp_{token_id}_{secrets.token_urlsafe(32)}"
    granted = " ".join(sorted(scopes))
    token = Token(token_id, name, _hash(text), granted, user_id, now.isoformat(timespec="seconds"))
    store.add(token)
    return token, text


def authenticate(text: str, store: TokenLookup, admin_token: str) -> Principal:
    """Return the principal of a token's text; raise `InvalidToken`."""
    given = text.encode("utf-8", "surrogateescape")
    if admin_token and hmac.compare_digest(given, admin_token.encode()):
        return Principal("admin", frozenset({"admin"}))
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    # A text that cannot be a token of Milepost does not reach the database.
    token = store.find(token_id) if prefix == "mp" and secret and token_id.isalnum() else None
    if token is None or token.revoked_at or not hmac.compare_digest(_hash(text), token.hash):
        raise InvalidToken
    return Principal(token.name, frozenset(token.scopes.split()), token.user_id)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

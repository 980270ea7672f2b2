"""Access tokens: the CLI makes a token and shows it once; the database stores only its hash.

A token has scopes, and a user if it is bound to one. The stores beside this file (`memory.py`,
`sqlite.py`, `postgres.py`) are in the database of the events; `remembered.py` caches tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, get_args

import msgspec

from api.errors import InvalidToken

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ADMIN = "admin"
"""The name and id of the admin token of the settings; the id of another token has 12 digits."""


class Token(msgspec.Struct, frozen=True):
    """A stored token. `hash` is the SHA-256 of the secret text, in hex; `scopes` are sorted.

    A plain hash is enough: a secret of 256 random bits cannot be guessed. Times are texts in UTC,
    to the second. `last_used_at` may be a minute too early.
    """

    id: str
    name: str
    hash: str
    scopes: str
    user_id: str | None
    created_at: str
    revoked_at: str | None = None
    expires_at: str | None = None
    last_used_at: str | None = None

    def has_expired(self, now: datetime) -> bool:
        """Tell whether the token's time is over."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now


class Principal(msgspec.Struct, frozen=True):
    """The sender of a request, with its scopes; if `user_id` is set, for that user's jobs only.

    `token_id` is `ADMIN` for the admin token of the settings. `session` is the hash of the session
    whose cookie came instead of the token. `until` is when the link expires that came instead, in
    seconds since 1970.
    """

    name: str
    scopes: frozenset[str]
    token_id: str
    user_id: str | None = None
    session: str | None = None
    until: int | None = None

    @property
    def sharer(self) -> str:
        """Who shares what all senders may take: the user, however many tokens, or this token.

        All links of a user, or of a token for all users, are one sharer more. A link may reach
        anybody, and its readers must not take the places of its issuer.
        """
        issuer = f"user {self.user_id}" if self.user_id else self.token_id
        return issuer if self.until is None else f"link {issuer}"

    def may(self, scope: Scope) -> bool:
        """Tell whether the scope is granted; `admin` includes every other."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, user_id: str | None) -> bool:
        """Tell whether the sender may see the jobs of that user."""
        return self.user_id is None or self.user_id == user_id


ADMIN_PRINCIPAL: Final = Principal(ADMIN, frozenset({"admin"}), ADMIN)


class TokenLookup(Protocol):
    """Finds tokens by id."""

    def find(self, token_id: str) -> Token | None:
        """Return a token by its id, revoked and expired ones too."""
        ...

    def used(self, token: Token, now: datetime) -> None:
        """Note that somebody used the token."""
        ...


class TokenStore(TokenLookup, Protocol):
    """Stores tokens."""

    def add(self, token: Token) -> None:
        """Store a new token."""
        ...

    def some(self, token_ids: Collection[str]) -> Sequence[Token]:
        """Return the tokens with these ids, revoked and expired ones too, in any order."""
        ...

    def all(self) -> Sequence[Token]:
        """Return every token, the oldest first."""
        ...

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """Revoke a token for ever; return False if no valid token has this id."""
        ...


def create(
    store: TokenStore,
    name: str,
    scopes: Collection[Scope],
    user_id: str | None,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make and store a token; return it with its text, which is not stored."""
    token_id = secrets.token_hex(6)
    text = f"mp_{token_id}_{secrets.token_urlsafe(32)}"
    until = stored_time(expires_at) if expires_at else None
    token = Token(
        id=token_id,
        name=name,
        hash=_hash(text, until),
        scopes=" ".join(sorted(scopes)),
        user_id=user_id,
        created_at=stored_time(now),
        expires_at=until,
    )
    store.add(token)
    return token, text


def stored_time(time: datetime) -> str:
    """Return a time as tokens have it, so that the order of texts is that of times."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def authenticate(
    text: str, store: TokenLookup, admin_token: str, clock: Callable[[], datetime]
) -> Principal:
    """Return the principal of a token's text; raise `InvalidToken`."""
    given = text.encode("utf-8", "surrogateescape")
    if admin_token and hmac.compare_digest(given, admin_token.encode()):
        return ADMIN_PRINCIPAL
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    # A text that cannot be a token of Milepost does not reach the database.
    token = store.find(token_id) if prefix == "mp" and secret and token_id.isalnum() else None
    if (
        token is None
        or token.revoked_at
        or not hmac.compare_digest(_hash(text, token.expires_at), token.hash)
        or token.has_expired(now := clock())
    ):
        raise InvalidToken
    return _used(token, store, now)


def by_id(token_id: str, store: TokenLookup, now: datetime) -> Principal:
    """Return the principal of a valid token that vouches for the request; raise `InvalidToken`."""
    token = store.find(token_id)
    if token is None or token.revoked_at or token.has_expired(now):
        raise InvalidToken
    return _used(token, store, now)


def _used(token: Token, store: TokenLookup, now: datetime) -> Principal:
    store.used(token, now)
    return Principal(token.name, frozenset(token.scopes.split()), token.id, token.user_id)


def _hash(text: str, expires_at: str | None) -> str:
    # The hash covers the end. So a release that knows no end refuses the token instead of taking it
    # for ever.
    hashed = text if expires_at is None else f"{text}\n{expires_at}"
    return hashlib.sha256(hashed.encode("utf-8", "surrogateescape")).hexdigest()

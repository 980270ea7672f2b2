"""Sessions of browsers: signing in with a token begins one, and the database stores only its hash.

A session has no rights of its own. It stands for the token that it was begun with, for as long as
that token is valid. The stores beside this file (`memory.py`, `sqlite.py`, `postgres.py`) are in
the database of the events; `remembered.py` caches sessions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Protocol

import msgspec

from api.errors import InvalidSession, InvalidToken
from api.tokens import ADMIN, ADMIN_PRINCIPAL, Principal, TokenLookup, by_id, stored_time

LASTS: Final = timedelta(days=30)
"""How long after its beginning a session ends."""
UNUSED: Final = timedelta(days=7)
"""How long after its last use a session ends."""
MOST_OF_ONE: Final = 1_000
"""How many sessions one token has at most; a further one ends the one that was not used longest."""
OF_ADMIN: Final = f"{ADMIN}:"
"""What the issuer of a session begins with if it is the admin token of the settings."""
SECRET_CHARACTERS: Final = 43
"""The length of a secret: 256 random bits in base64."""


class Session(msgspec.Struct, frozen=True):
    """A stored session. `hash` is the SHA-256 of its secret, in hex.

    `issuer` is the id of its token, or for the admin token of the settings a digest of that. Times
    are texts in UTC, to the second. `seen_at` may be an hour too early.
    """

    hash: str
    issuer: str
    made_at: str
    ends_at: str
    seen_at: str

    def has_ended(self, now: datetime) -> bool:
        """Tell whether the session's time is over, or nobody has used it for too long."""
        return stored_time(now) >= self.ends_at or self.seen_at <= unused_since(now)


class SessionLookup(Protocol):
    """Finds sessions by hash."""

    def find(self, hash_: str) -> Session | None:
        """Return a session by its hash, also one whose time is over."""
        ...

    def seen(self, session: Session, now: datetime) -> None:
        """Note that somebody used the session."""
        ...


class SessionStore(SessionLookup, Protocol):
    """Stores sessions."""

    def add(self, session: Session) -> None:
        """Store a new session.

        Delete all sessions whose time is over, and of its issuer's sessions all but `MOST_OF_ONE`.
        """
        ...

    def some(self, hashes: Collection[str]) -> Sequence[Session]:
        """Return the sessions with these hashes, in any order."""
        ...

    def end(self, hash_: str) -> None:
        """Delete a session."""
        ...


def begin(store: SessionStore, issuer: str, now: datetime) -> tuple[Session, str]:
    """Make and store a session; return it with its secret, which is not stored."""
    secret = secrets.token_urlsafe(32)
    made = stored_time(now)
    session = Session(hash_of(secret), issuer, made, stored_time(now + LASTS), made)
    store.add(session)
    return session, secret


def holder(
    secret: str,
    sessions: SessionLookup,
    tokens: TokenLookup,
    admin_token: str,
    clock: Callable[[], datetime],
) -> Principal:
    """Return who holds the session with this secret, with the rights that its token has now.

    Raises `InvalidSession`.
    """
    # A text that cannot be a secret does not reach the database.
    session = sessions.find(hash_of(secret)) if len(secret) == SECRET_CHARACTERS else None
    if session is None or session.has_ended(now := clock()):
        raise InvalidSession
    caller = _issued_to(session.issuer, tokens, admin_token, now)
    sessions.seen(session, now)
    return msgspec.structs.replace(caller, session=session.hash)


def _issued_to(issuer: str, tokens: TokenLookup, admin_token: str, now: datetime) -> Principal:
    if issuer.startswith(OF_ADMIN):
        if admin_token and hmac.compare_digest(issuer, issuer_of(ADMIN, admin_token)):
            return ADMIN_PRINCIPAL
        raise InvalidSession
    try:
        return by_id(issuer, tokens, now)
    except InvalidToken:
        raise InvalidSession from None


def issuer_of(token_id: str, admin_token: str) -> str:
    """Return what sessions of a token name as their issuer."""
    return f"{OF_ADMIN}{_digest(admin_token)}" if token_id == ADMIN else token_id


def form_token(secret: str) -> str:
    """Return what each form of a session's pages must send back.

    Another site can let a browser send a form with its cookie, but cannot read this from a page.
    """
    made = hmac.digest(secret.encode(), b"milepost form", "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def hash_of(secret: str) -> str:
    """Return the hash by which a session is stored.

    A plain hash is enough: a secret of 256 random bits cannot be guessed.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def unused_since(now: datetime) -> str:
    """Return the time before which a session must have been used last to have ended, as stored."""
    return stored_time(now - UNUSED)


@cache
def _digest(admin_token: str) -> str:
    # An operator may have chosen a weak one. scrypt, so that trying out guesses is slow.
    salt = b"milepost session of the admin token"
    return hashlib.scrypt(admin_token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()

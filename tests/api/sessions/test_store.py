"""Where sessions are stored: the same on each store, and no secret in any."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from api import sessions
from api.sessions import LASTS, UNUSED, Session, SessionStore, begin
from api.sessions.memory import MemorySessions
from api.sessions.postgres import PostgresSessions
from api.sessions.sqlite import SQLiteSessions
from api.tokens import stored_time
from domain.log.postgres import PostgresRecorder
from domain.log.sqlite import SQLiteRecorder
from tests.support.stores.deployment import NOON, Deployment
from tests.support.web.site import Site, everything_in


@pytest.fixture
def store(stores: Deployment) -> SessionStore:
    """The sessions of each store in turn."""
    return stores.kit.sessions


def test_a_session_is_found_by_its_hash(store: SessionStore) -> None:
    session, secret = begin(store, "0123456789ab", NOON)
    begin(store, "0123456789ab", NOON)

    assert session.hash == sessions.hash_of(secret)
    assert store.find(session.hash) == session
    assert store.find("another") is None
    assert store.some([session.hash, "another"]) == [session]


def test_an_ended_session_is_gone(store: SessionStore) -> None:
    ended, _ = begin(store, "0123456789ab", NOON)
    going_on, _ = begin(store, "0123456789ab", NOON)

    store.end(ended.hash)
    store.end("another")

    assert store.some([ended.hash, going_on.hash]) == [going_on]


def test_a_use_is_noted(store: SessionStore) -> None:
    session, _ = begin(store, "0123456789ab", NOON)
    later = NOON + timedelta(days=3)

    store.seen(session, later)
    store.seen(msgspec.structs.replace(session, hash="another"), later)

    assert store.find(session.hash) == msgspec.structs.replace(session, seen_at=stored_time(later))


def test_a_new_session_deletes_those_whose_time_is_over(store: SessionStore) -> None:
    unused, _ = begin(store, "0123456789ab", NOON)
    used, _ = begin(store, "0123456789ab", NOON)
    store.seen(used, NOON + timedelta(days=6))

    begin(store, "another", NOON + UNUSED)
    assert store.find(unused.hash) is None
    assert store.find(used.hash)

    store.seen(used, NOON + LASTS - timedelta(seconds=1))
    begin(store, "another", NOON + LASTS)
    assert store.find(used.hash) is None


def of_three(deployment: Deployment) -> SessionStore:
    """Return the sessions of a store in which a token may have three."""
    match deployment.milepost.recorder:
        case SQLiteRecorder(datastore=datastore):
            return SQLiteSessions(datastore, most_of_one=3)
        case PostgresRecorder(datastore=datastore):
            return PostgresSessions(datastore, most_of_one=3)
    return MemorySessions(most_of_one=3)


def test_a_token_has_so_many_sessions_and_no_more(stores: Deployment) -> None:
    store = of_three(stores)
    other, _ = begin(store, "another", NOON)
    mine: list[Session] = [
        begin(store, "0123456789ab", NOON + timedelta(seconds=each))[0] for each in range(5)
    ]
    store.seen(mine[2], NOON + timedelta(seconds=60))

    last, _ = begin(store, "0123456789ab", NOON + timedelta(seconds=61))

    kept = store.some([each.hash for each in (other, *mine, last)])
    assert {each.hash for each in kept} == {other.hash, mine[2].hash, mine[4].hash, last.hash}


def test_only_the_hash_of_a_session_is_stored(database_site: Site) -> None:
    session, secret = begin(database_site.services.sessions, "0123456789ab", NOON)

    stored = everything_in(database_site)
    assert session.hash.encode() in stored
    assert secret.encode() not in stored

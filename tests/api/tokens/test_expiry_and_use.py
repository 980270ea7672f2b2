"""A token may end by itself, and its owner sees when it was last used."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from eventsourcing.persistence import OperationalError

from api import tokens
from api.errors import InvalidToken
from api.tokens import Token, TokenStore, stored_time
from api.tokens.memory import MemoryTokens
from api.tokens.postgres import PostgresTokens
from api.tokens.remembered import NOTED_SECONDS, RememberedTokens
from domain.log.connections.postgres import PostgresDatastore
from tests.support.projectors.at_once import AtOnce
from tests.support.stores.deployment import NOON, Deployment
from tests.support.stores.tampering import Database
from tests.support.web.site import Site, problem_of

SECONDS_A_DAY = 24 * 3600


class Counting(MemoryTokens):
    """Tokens in memory that count their writes of a use."""

    uses = 0

    def used(self, token: Token, now: datetime) -> None:
        """Count."""
        self.uses += 1
        super().used(token, now)


class Failing(MemoryTokens):
    """Tokens of an account that may not write."""

    def used(self, token: Token, now: datetime) -> None:
        """Fail."""
        raise OperationalError("permission denied")


def lasting(site: Site, days: float) -> str:
    """Return a token that ends after so many days."""
    end = site.clock() + timedelta(days=days)
    return tokens.create(site.services.tokens, "page", ["read"], None, site.clock(), end)[1]


def opens(process: TokenStore, text: str, now: datetime = NOON) -> bool:
    """Tell whether the token is taken."""
    try:
        tokens.authenticate(text, process, "the admin's", lambda: now)
    except InvalidToken:
        return False
    return True


def kept(site: Site) -> Token:
    """Return the only token."""
    [token] = site.deployment.kit.tokens.all()
    return token


# Expiry


def test_a_token_is_refused_from_its_end_on_also_where_it_is_remembered(site: Site) -> None:
    token = lasting(site, days=1)

    site.clock.advance(SECONDS_A_DAY - 1)
    assert site.get("/api/jobs", token).status_code == 200
    site.clock.advance(1)

    problem = problem_of(site.get("/api/jobs", token), 401, "invalid-token")
    unknown = problem_of(site.get("/api/jobs", "mp_0123456789ab_x"), 401, "invalid-token")
    assert problem == unknown


def test_the_end_of_a_token_is_in_its_hash(site: Site) -> None:
    """A release that knows no end refuses it, and nobody prolongs it by a date in another table."""
    token = lasting(site, days=1)

    assert kept(site).hash != hashlib.sha256(token.encode()).hexdigest()
    assert kept(site).expires_at == stored_time(NOON + timedelta(days=1))


def test_times_of_tokens_are_in_utc() -> None:
    there = timezone(timedelta(hours=3, minutes=30))

    assert stored_time(datetime(2026, 3, 2, 15, 30, tzinfo=there)) == stored_time(NOON)


# Releases that overlap, and stores from before


def test_a_release_that_knows_no_expiry_runs_over_the_new_tables(database_site: Site) -> None:
    """It reads and writes every column of its table, by position."""
    database, text = Database(database_site.deployment), "mp_theirs_" + "x" * 43
    digest = hashlib.sha256(text.encode()).hexdigest()

    database.run(
        "INSERT INTO milepost_tokens VALUES (?, ?, ?, ?, ?, ?, ?)",
        ("theirs", "page", digest, "read", None, "2026-03-02T12:00:00+00:00", None),
    )

    assert database_site.get("/api/jobs", text).status_code == 200
    [row] = database.rows("SELECT * FROM milepost_tokens")
    assert len(row) == 7


def test_tokens_from_before_work_once_the_step_is_applied(databases: Deployment) -> None:
    site = Site(databases)
    token = site.token("read")
    database = Database(databases)
    database.run("DROP TABLE milepost_token_uses")
    database.run("DELETE FROM milepost_schema WHERE part = 'tokens' AND step = 2")

    again = Site(databases)
    again.services.prepare()

    assert again.get("/api/jobs", token).status_code == 200
    assert (kept(again).expires_at, kept(again).revoked_at) == (None, None)


# Last use


def test_a_request_is_a_use(site: Site) -> None:
    token = site.token("read")
    assert kept(site).last_used_at is None

    site.get("/api/jobs", token)

    assert kept(site).last_used_at == stored_time(NOON)


def test_a_wrong_secret_is_no_use(stores: Deployment) -> None:
    process = RememberedTokens(stores.kit.tokens, writer=AtOnce())
    made, text = tokens.create(process, "page", ["read"], None, NOON)

    assert not opens(process, text[:-1])
    assert process.all()[0].last_used_at is None
    assert opens(process, text)
    assert process.all()[0].last_used_at == stored_time(NOON)
    assert process.revoke(made.id, "now")


def test_a_use_is_written_once_a_minute_by_all_processes_together() -> None:
    store, seconds = Counting(), [0.0]
    one, other = (RememberedTokens(store, lambda: seconds[0], AtOnce()) for _ in range(2))
    _, text = tokens.create(store, "page", ["read"], None, NOON)

    for second in range(int(3 * NOTED_SECONDS)):
        seconds[0] = second
        for process in (one, other):
            assert opens(process, text, NOON + timedelta(seconds=second))

    assert store.uses == 3


def test_a_use_that_cannot_be_written_is_said_once_and_refuses_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, seconds = Failing(), [0.0]
    process = RememberedTokens(store, lambda: seconds[0], AtOnce())
    _, text = tokens.create(store, "page", ["read"], None, NOON)

    with caplog.at_level(logging.WARNING):
        for minute in range(3):
            seconds[0] = minute * NOTED_SECONDS
            assert opens(process, text)

    assert [record.message for record in caplog.records] == [
        "cannot note when tokens were last used: permission denied"
    ]


def test_a_database_that_takes_no_writes_is_not_asked_to_write(postgres: Deployment) -> None:
    made, _ = tokens.create(postgres.kit.tokens, "page", ["read"], None, NOON)
    read_only = quote("-cdefault_transaction_read_only=on")
    url = f"{postgres.env['DATABASE_URL']}&target_session_attrs=any&options={read_only}"

    with PostgresDatastore(url) as datastore:
        store = PostgresTokens(datastore)
        store.used(made, NOON)
        assert [token.last_used_at for token in store.all()] == [None]
        with pytest.raises(Exception, match="read-only"):
            store.revoke(made.id, "now")

"""Every session of PostgreSQL means the same, whatever its URL, account or environment says."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from domain.application import Milepost
from domain.job.callback import Callback
from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_session import OF_NEWER_SERVERS, OF_TCP, SETTINGS
from domain.log.postgres import PostgresRecorder
from domain.log.schema.postgres import PostgresSchema
from tests.support.processes.server import free_port
from tests.support.stores.deployment import Deployment
from tests.support.stores.outside import HOSTILE, WAYS, by_database
from tests.support.stores.postgres_server import own_server
from tests.support.stores.tampering import Database

PINNED = {**SETTINGS, **OF_NEWER_SERVERS}
CURRENT = "SELECT current_setting(%s)"
TEMPORARY = "CREATE TEMP TABLE milepost_events (LIKE public.milepost_events INCLUDING ALL)"


@pytest.fixture
def datastore(
    postgres_dsn: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresDatastore]:
    """A datastore whose connections get hostile settings by one way."""
    dsn = WAYS[request.param](postgres_dsn, HOSTILE, monkeypatch)
    with PostgresDatastore(dsn) as made:
        yield made


def settings(connection: psycopg.Connection[object]) -> dict[str, str]:
    """Return the settings that Milepost relies on, as they are."""
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return {
            name: cursor.execute(CURRENT, (name,), prepare=False).fetchall()[0][0]
            for name in PINNED
        }


@pytest.mark.parametrize("datastore", WAYS, indirect=True)
def test_no_setting_from_outside_reaches_a_session(datastore: PostgresDatastore) -> None:
    """Sessions of the pool carry statements; sessions of their own carry locks and LISTEN."""
    with datastore.get_connection() as pooled, datastore.session() as own:
        assert settings(pooled) == settings(own) == PINNED
        assert pooled.info.encoding == own.info.encoding == "utf-8"


def test_every_setting_has_a_hostile_value_here() -> None:
    assert HOSTILE.keys() == PINNED.keys()
    assert [name for name in PINNED if HOSTILE[name] == PINNED[name]] == []


@pytest.mark.parametrize("reset", ["RESET ALL", "DISCARD ALL"])
@pytest.mark.parametrize("datastore", WAYS, indirect=True)
def test_a_session_that_is_reset_stays_in_utf8(datastore: PostgresDatastore, reset: str) -> None:
    with datastore.get_connection() as connection:
        connection.execute(reset)

        assert connection.info.encoding == "utf-8"
        assert settings(connection)["client_encoding"] == "UTF8"


def test_a_session_that_is_discarded_is_begun_again(
    postgres: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements go with the settings, so that whoever uses a prepared one notices."""
    # With that setting, the connection would end at the first error, and another one would begin.
    hostile = {**HOSTILE, "exit_on_error": "off"}
    by_database(postgres.env["DATABASE_URL"], hostile, monkeypatch)
    other = Milepost({**postgres.env, "CREATE_TABLE": "no"})
    recorder = other.recorder
    assert isinstance(recorder, PostgresRecorder)
    recorder.datastore.pool.open(wait=True)  # it makes one connection, and one at a time uses it

    def discard() -> None:
        with recorder.datastore.get_connection() as connection:
            connection.pgconn.exec_(b"DISCARD ALL")  # behind the driver's back

    def found() -> dict[str, str]:
        with recorder.datastore.get_connection() as connection:
            return settings(connection)

    heartbeat = Callback(job_id="job", type="heartbeat")
    for again in (lambda: other.record(heartbeat), lambda: other.store.event("job", 1)):
        other.record(heartbeat)
        assert other.store.event("job", 1)
        discard()
        assert found()["default_transaction_isolation"] == "serializable"
        assert again()
        assert found() == PINNED
    other.close()


def test_a_temporary_table_does_not_take_the_place_of_the_log(postgres: Deployment) -> None:
    """A pooler may give Milepost a session in which somebody else has made one."""
    recorder = postgres.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    with recorder.datastore.get_connection() as connection:
        connection.execute(TEMPORARY)

    assert postgres.milepost.record(Callback(job_id="job", type="heartbeat")).version == 1

    assert len(Database(postgres).rows("SELECT 1 FROM milepost_events")) == 1


def test_all_tables_are_those_of_the_schema_that_has_the_log(postgres: Deployment) -> None:
    """A schema that comes first in the path, with a table of tokens, gives nobody a token."""
    database = Database(postgres)
    database.run("CREATE SCHEMA postgres")
    database.run("CREATE TABLE postgres.milepost_tokens AS SELECT * FROM public.milepost_tokens")
    other = postgres.again()
    recorder = other.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)

    [row] = recorder.datastore.rows("SELECT 'milepost_tokens'::regclass::oid::bigint AS oid")

    found = database.rows("SELECT 'public.milepost_tokens'::regclass::oid::bigint")
    assert [row["oid"]] == list(found[0])
    other.close()


def test_functions_of_another_schema_do_not_take_the_place_of_postgresqls(
    postgres: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(postgres).run(
        "CREATE FUNCTION public.hashtext(text) RETURNS integer LANGUAGE sql AS 'SELECT 7'"
    )
    dsn = by_database(
        postgres.env["DATABASE_URL"], {"search_path": "public, pg_catalog"}, monkeypatch
    )
    with PostgresDatastore(dsn) as datastore:
        [row] = datastore.rows("SELECT hashtext('milepost events') = 7 AS replaced")

    assert not row["replaced"]


def test_two_logs_in_one_search_path_are_refused_by_name(postgres: Deployment) -> None:
    database = Database(postgres)
    database.run("CREATE SCHEMA postgres")
    database.run("CREATE TABLE postgres.milepost_events AS SELECT * FROM public.milepost_events")

    with (
        PostgresDatastore(postgres.env["DATABASE_URL"]) as datastore,
        pytest.raises(OperationalError, match=r"postgres and public .* name one of them"),
    ):
        datastore.rows("SELECT 1")

    with PostgresDatastore(
        postgres.env["DATABASE_URL"] + "&options=-csearch_path%3Dpublic"
    ) as datastore:
        assert datastore.rows(
            "SELECT 'milepost_events'::regclass = 'public.milepost_events'::regclass AS same"
        )


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_store_every_character_is_refused(
    postgres_server_dsn: str, encoding: str
) -> None:
    name = f"milepost_{encoding.lower()}"
    with psycopg.connect(postgres_server_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' ENCODING '{encoding}'"
        )
    with (
        PostgresDatastore(f"{postgres_server_dsn}&dbname={name}") as datastore,
        pytest.raises(OperationalError, match=f"encoded in {encoding}; Milepost needs UTF8"),
    ):
        PostgresSchema(datastore).check()


@pytest.fixture
def over_tcp() -> Iterator[str]:
    """A PostgreSQL that is reached over TCP, and that waits two hours for a silent host."""
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "port": port, "tcp_keepalives_idle": 7200}
    with own_server(settings=settings):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def test_the_server_looks_for_a_vanished_host_within_seconds(over_tcp: str) -> None:
    """Else a host that lost its power holds the projector's lock for two hours."""
    with PostgresDatastore(over_tcp) as datastore, datastore.session() as connection:
        found = {name: connection.execute(CURRENT, (name,)).fetchall()[0][0] for name in OF_TCP}

    assert found == OF_TCP

"""Tables that others have changed: Milepost is right over them, or one line says what is wrong."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from domain.workflows.definition import Workflows
from tests.support.people.shell import Shell
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.postgres_server import create_database
from tests.support.web.site import Site, problem_of

TRIGGER = """
    CREATE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {1} END $$;
    CREATE TRIGGER {0} {2} FOR EACH ROW EXECUTE FUNCTION {0}();
"""
REFUSED = {
    TRIGGER.format("skip", "RETURN NULL;", "BEFORE INSERT ON milepost_events"): (
        "the trigger skip of the table milepost_events"
    ),
    TRIGGER.format("keep", "RETURN NULL;", "BEFORE DELETE ON milepost_sessions"): (
        "the trigger keep of the table milepost_sessions"
    ),
    "CREATE RULE forget AS ON INSERT TO milepost_keys DO INSTEAD NOTHING": (
        "the rule forget of the table milepost_keys"
    ),
    "CREATE DOMAIN citext AS text; ALTER TABLE milepost_keys ALTER name TYPE citext": (
        "the column name of the table milepost_keys takes different texts for equal"
    ),
    "ALTER SEQUENCE milepost_events_notification_id_seq CACHE 50": "gives positions out of order",
    "ALTER SEQUENCE milepost_events_notification_id_seq CYCLE": "gives positions out of order",
    "ALTER TABLE milepost_tokens OWNER TO {role}": "the table milepost_tokens belongs to {role}",
}
HARMLESS = {
    "guard": TRIGGER.format(
        "guard", "RAISE EXCEPTION 'append only';", "BEFORE UPDATE OR DELETE ON milepost_events"
    ),
    "copy": TRIGGER.format("copy", "RETURN NULL;", "AFTER INSERT ON milepost_keys"),
    "also": "CREATE RULE also AS ON INSERT TO milepost_events DO ALSO NOTHING",
    "off": TRIGGER.format("off", "RETURN NULL;", "BEFORE INSERT ON milepost_keys")
    + "ALTER TABLE milepost_keys DISABLE TRIGGER off",
    "more": "ALTER TABLE milepost_keys ADD COLUMN more integer",
    "step": "ALTER SEQUENCE milepost_events_notification_id_seq INCREMENT 7",
    "all to one": """
        DO $$ DECLARE name text; BEGIN
          FOR name IN SELECT tablename FROM pg_tables WHERE tablename LIKE 'milepost%' LOOP
            EXECUTE format('ALTER TABLE %I OWNER TO {role}', name);
          END LOOP;
        END $$
    """,
}


@pytest.fixture
def dsn(postgres_server_dsn: str, workflows: Workflows, clock: Clock) -> str:
    """A database of its own with all tables, because they stay changed."""
    dsn = create_database(postgres_server_dsn)
    opened(dsn, workflows, clock).close()
    return dsn


def opened(dsn: str, workflows: Workflows, clock: Clock) -> Deployment:
    env = {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}
    return Deployment(env, workflows, clock)


def changed(dsn: str, statements: str) -> str:
    """Change the database; return the role that owns something there then."""
    role = f"other_{uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        if "{role}" in statements:
            connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(statements.replace("{role}", role).encode())
    return role


def shell_at(dsn: str, folder: Path) -> Shell:
    return Shell(MILEPOST_HOME=str(folder / "home"), MILEPOST_DATABASE_URL=dsn)


@pytest.mark.parametrize(("statements", "why"), REFUSED.items(), ids=REFUSED.values())
def test_a_start_names_the_change_with_which_milepost_would_not_be_right(
    dsn: str, tmp_path: Path, statements: str, why: str
) -> None:
    shell = shell_at(dsn, tmp_path)
    shell("init-db")

    role = changed(dsn, statements)

    assert why.replace("{role}", role) in shell.fails("init-db")


def test_a_policy_that_would_hide_rows_is_named_at_the_start(dsn: str, tmp_path: Path) -> None:
    role = changed(
        dsn,
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role};"
        "ALTER TABLE milepost_tokens ENABLE ROW LEVEL SECURITY",
    )

    said = shell_at(dsn.replace("postgres@", f"{role}@"), tmp_path).fails("init-db")

    assert "row-level security hides rows of the table milepost_tokens" in said


@pytest.mark.parametrize("statements", HARMLESS.values(), ids=HARMLESS)
def test_other_changes_are_no_matter(dsn: str, tmp_path: Path, statements: str) -> None:
    changed(dsn, statements)

    shell_at(dsn, tmp_path)("init-db")


def test_a_trigger_that_forbids_tables_is_said_in_one_line(
    postgres_server_dsn: str, tmp_path: Path
) -> None:
    dsn = create_database(postgres_server_dsn)
    changed(
        dsn,
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'no tables on Fridays'; END $$;"
        "CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()",
    )

    assert "no tables on Fridays" in shell_at(dsn, tmp_path).fails("init-db")


def test_a_callback_that_a_trigger_refuses_can_be_sent_again(
    dsn: str, workflows: Workflows, clock: Clock
) -> None:
    changed(
        dsn,
        TRIGGER.format("no", "RAISE EXCEPTION 'not now';", "AFTER INSERT ON milepost_events"),
    )
    made = opened(dsn, workflows, clock)
    try:
        refused = Site(made).callback({"job_id": "job-1", "status": "running"})
        problem_of(refused, 503)
        assert "not now" not in refused.text
    finally:
        made.close()


def test_without_a_schema_no_table_is_made_that_ends_with_its_session(
    postgres_server_dsn: str, tmp_path: Path
) -> None:
    dsn = create_database(postgres_server_dsn)
    changed(dsn, "DROP SCHEMA public")

    assert "no schema has been selected" in shell_at(dsn, tmp_path).fails("init-db")

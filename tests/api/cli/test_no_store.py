"""In a wrong folder, or with a wrong URL, a command makes no second store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.people.shell import Shell

WRITING = [
    "project",
    "tokens create page",
    "tokens revoke t1",
    "deadlines resume",
    "rebuild",
    "fail job-1",
    "checkpoint",
]
LOOKING = ["status", "jobs", "tokens list", "audit job-1"]


@pytest.mark.parametrize("command", [*WRITING, *LOOKING])
def test_a_command_in_a_wrong_folder_says_where_it_looked_and_makes_nothing(
    command: str, tmp_path: Path
) -> None:
    home = tmp_path / "elsewhere"
    shell = Shell(MILEPOST_HOME=str(home))

    said = shell.fails(*command.split())

    assert said.startswith(f"Error: there is no database at {home / 'milepost.db'}; ")
    assert "MILEPOST_HOME" in said
    assert not home.exists()


@pytest.mark.parametrize("command", WRITING)
def test_a_command_on_a_database_of_something_else_makes_no_table(
    command: str, tmp_path: Path, postgres_dsn: str
) -> None:
    shell = Shell(MILEPOST_HOME=str(tmp_path / "home"), MILEPOST_DATABASE_URL=postgres_dsn)

    said = shell.fails(*command.split())

    assert "has no tables of Milepost; " in said
    assert "MILEPOST_DATABASE_URL" in said
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT to_regclass('milepost_events')").fetchone() == (None,)


def test_an_empty_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "milepost.db").touch(0o600)

    said = Shell(MILEPOST_HOME=str(tmp_path)).fails("tokens", "create", "page")

    assert f"sqlite:///{tmp_path / 'milepost.db'} has no tables of Milepost; " in said


@pytest.mark.parametrize("command", ["init-db", "import events.jsonl --no-manifest"])
def test_these_commands_make_a_store(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").touch()
    shell = Shell(MILEPOST_HOME=str(tmp_path / "home"))

    shell.run(*command.split())

    assert (tmp_path / "home" / "milepost.db").stat().st_size > 0


def test_a_database_that_answers_is_not_said_to_be_away(tmp_path: Path) -> None:
    """Somebody would look for a fault of the network."""
    file = tmp_path / "utf-16.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("PRAGMA encoding='UTF-16'; CREATE TABLE one (text TEXT)")
    home = str(tmp_path / "home")
    answers = Shell(MILEPOST_HOME=home, MILEPOST_DATABASE_URL=f"sqlite:///{file}")
    away = Shell(MILEPOST_HOME=home, MILEPOST_DATABASE_URL="postgresql://u@127.0.0.1:1/m")

    assert answers.fails("status").startswith(
        f"Error: the database cannot be used: {file} is encoded in UTF-16"
    )
    assert away.fails("status").startswith("Error: the database does not answer: ")

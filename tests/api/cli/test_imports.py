"""A command loads what it needs: each further library takes up to a tenth of a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import main
from tests.support.people.shell import Shell

WEB = {"flask", "flask_smorest", "httptools", "marshmallow", "prometheus_client", "werkzeug"}
POSTGRESQL = {"psycopg", "psycopg_pool"}
RUN_AND_LIST_MODULES = """
import atexit, sys
atexit.register(lambda: print("\\n".join(sys.modules), file=sys.stderr))
from milepost import run
run()
"""


def modules_loaded_by(command: str, home: Path) -> set[str]:
    """Run a command on a new SQLite file; return the names of the modules that it loads."""
    environment = {**os.environ, "MILEPOST_HOME": str(home)}
    environment.pop("MILEPOST_DATABASE_URL", None)
    Shell(MILEPOST_HOME=str(home))("init-db")

    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST_MODULES, *command.split()],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("command", ["status", "jobs", "verify"])
def test_a_command_over_sqlite_loads_nothing_of_the_web_or_of_postgresql(
    command: str, tmp_path: Path
) -> None:
    loaded = {name.partition(".")[0] for name in modules_loaded_by(command, tmp_path)}

    assert "projections" in loaded
    assert loaded & (WEB | POSTGRESQL) == set()


def test_a_command_that_speaks_to_a_server_loads_no_library_of_the_store(tmp_path: Path) -> None:
    loaded = modules_loaded_by("watch --help", tmp_path)

    assert "api.settings.remote" in loaded
    assert "eventsourcing" not in loaded


def test_a_command_loads_no_other_command(tmp_path: Path) -> None:
    loaded = modules_loaded_by("status", tmp_path)

    assert {name for name in loaded if name.startswith("api.cli.looking.")} == {
        "api.cli.looking.status"
    }
    assert {name for name in loaded if name.startswith("api.serving.")} == {"api.serving.logs"}


def test_a_command_without_a_table_loads_no_library_for_tables(tmp_path: Path) -> None:
    assert "rich" not in modules_loaded_by("init-db", tmp_path)


def test_each_command_is_listed_by_its_own_name() -> None:
    assert {name: command.name for name, command in main.commands.items()} == {
        name: name for name in main.commands
    }


CTRL_C_WHILE_IT_LOADS = """
import os, signal, sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == "api.cli.looking":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
from milepost import run
run()
"""


@pytest.mark.parametrize("command", ["status", "--help"])
def test_ctrl_c_while_a_command_loads_ends_it_without_a_traceback(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C_WHILE_IT_LOADS, command],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")

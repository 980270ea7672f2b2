"""A command loads what it needs: each further library takes up to a tenth of a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.people.shell import Shell

WEB = {"flask", "flask_smorest", "httptools", "marshmallow", "prometheus_client", "werkzeug"}
POSTGRESQL = {"psycopg", "psycopg_pool"}
RUN_AND_LIST_MODULES = """
import atexit, sys
atexit.register(lambda: print("\\n".join(sys.modules), file=sys.stderr))
from milepost import run
run()
"""


@pytest.mark.parametrize("command", ["status", "jobs", "verify"])
def test_a_command_over_sqlite_loads_nothing_of_the_web_or_of_postgresql(
    command: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "MILEPOST_HOME": str(tmp_path)}
    environment.pop("MILEPOST_DATABASE_URL", None)
    Shell(MILEPOST_HOME=str(tmp_path))("init-db")

    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST_MODULES, command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.splitlines()}
    assert "projections" in loaded
    assert loaded & (WEB | POSTGRESQL) == set()


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


def test_ctrl_c_while_a_command_loads_ends_it_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C_WHILE_IT_LOADS, "--version"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")

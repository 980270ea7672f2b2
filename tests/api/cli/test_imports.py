"""Commands that serve nothing load no library of the web, which takes a tenth of a second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.people.shell import Shell

WEB = {"flask", "flask_smorest", "httptools", "marshmallow", "prometheus_client", "werkzeug"}
RUN_AND_LIST_MODULES = """
import atexit, sys
atexit.register(lambda: print("\\n".join(sys.modules), file=sys.stderr))
from milepost import run
run()
"""


@pytest.mark.parametrize("command", ["status", "jobs", "verify"])
def test_a_command_loads_no_library_of_the_web(command: str, tmp_path: Path) -> None:
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
    assert loaded & WEB == set()

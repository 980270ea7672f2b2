"""The commands that move a store to another database, run as they stand in the page."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from domain.workflows.definition import Workflows
from tests.support.jobs.lives import live
from tests.support.processes.server import MILEPOST
from tests.support.stores.deployment import Clock, Deployment, prepared_env

ROOT = Path(__file__).parents[3]
MOVING = (ROOT / "docs" / "operations" / "moving.md").read_text(encoding="utf-8")


def test_a_sqlite_file_is_moved_to_postgresql_as_it_says(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock, tmp_path: Path
) -> None:
    old, new = (
        Deployment(prepared_env(kind, request), workflows, clock) for kind in ("sqlite", "postgres")
    )
    events = live(old)
    [commands] = re.findall(r"^```sh\n(milepost export.*?)^```", MOVING, re.DOTALL | re.MULTILINE)
    script = commands.replace(
        "postgresql://milepost@db.example/milepost", f"'{new.env['DATABASE_URL']}'"
    )

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{MILEPOST.parent}:{os.environ['PATH']}",
            "MILEPOST_HOME": str(tmp_path / "home"),
            "MILEPOST_DATABASE_URL": f"sqlite:///{old.env['SQLITE_DBNAME']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Nothing is lost.\n")
    assert new.projector.catch_up() == events
    assert new.reader.instance("plain") == old.reader.instance("plain")
    old.close()
    new.close()

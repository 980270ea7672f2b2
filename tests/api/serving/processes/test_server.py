"""The server's own limits: no more connections than the system lets a worker open files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, free_port

FILES = 500


def test_more_connections_than_files_stop_the_start_with_one_line(tmp_path: Path) -> None:
    serve = f"ulimit -n {FILES}; exec {MILEPOST} serve --port {free_port()}"
    done = subprocess.run(
        ["sh", "-c", serve],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MILEPOST_CONNECTIONS": "1000"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: MILEPOST_CONNECTIONS: 1,000 connections need 1,320 open files, and the system "
        "allows 500 (ulimit -Hn)\n"
    )

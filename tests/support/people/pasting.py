"""Commands of a page, as somebody pastes them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.processes.server import MILEPOST, Server
from tests.support.stores.postgres_server import PACKAGE


def run(commands: str, server: Server, folder: Path) -> str:
    """Paste the commands into a shell that has the server's settings; return what they print."""
    programs = f"{MILEPOST.parent}:{PACKAGE / 'pginstall' / 'bin'}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],  # noqa: S607
        cwd=folder,
        env={**server.env, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

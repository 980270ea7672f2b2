"""The application for somebody's own WSGI server, which may make it more than once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes.server import SECRET, TOKEN

TWICE = """
import os, sys
from pathlib import Path
from api.serving.wsgi import application

database = Path(sys.argv[1])

def locks():
    inodes = {str(os.stat(f"{database}{end}").st_ino) for end in ("", "-wal", "-shm")}
    fields = map(str.split, Path("/proc/locks").read_text().splitlines())
    return sorted(
        (each[5].rpartition(":")[2], *each[6:])
        for each in fields
        if each[1] == "POSIX" and each[4] == str(os.getpid())
        and each[5].rpartition(":")[2] in inodes
    )

first = application()
assert first.test_client().get("/readyz").status_code == 200
before = locks()
second = application()
print(len(before), "locks,", "the same" if locks() == before else f"then {locks()}")
"""


def test_a_second_application_takes_none_of_the_locks_of_the_first(tmp_path: Path) -> None:
    """Without its locks, another process removes `-wal` while the first application uses it."""
    database = tmp_path / "test.db"
    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(database)],
        env={
            "MILEPOST_HOME": str(tmp_path),
            "MILEPOST_DATABASE_URL": f"sqlite:///{database}",
            "MILEPOST_CALLBACK_SECRET": SECRET,
            "MILEPOST_ADMIN_TOKEN": TOKEN,
        },
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 locks, the same"]

"""A process that ends without closing anything remembers what it has seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from domain.log.lost_end.folder import Entry

PROGRAM = """
import sys
from pathlib import Path
from domain.application import Milepost
from domain.job.callback import Callback
from domain.log.lost_end.folder import MemoryFolder

home = Path(sys.argv[1])
database = str(home / "milepost.db")
milepost = Milepost({"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": database})
milepost.end.keep_in(MemoryFolder(home / "seen", database, lambda: "a log"))
for job_id in ("one", "two"):
    milepost.record(Callback(job_id=job_id, type="heartbeat"))
"""


def test_a_process_that_closes_nothing_keeps_its_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, timeout=60, check=True
    )

    assert done.stderr == b""
    [file] = (tmp_path / "seen").iterdir()
    entry = msgspec.json.decode(file.read_bytes(), type=Entry)
    assert entry.memory.position == 2

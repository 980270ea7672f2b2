"""The backup of the page on backups: taken beside a server at work, restored, and verified."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.support.server import MILEPOST, Make, Server

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "backup.md").read_text(encoding="utf-8")


def milepost(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MILEPOST, *arguments],
        cwd=server.home,
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_backup_of_sqlite_has_what_was_there_and_verifies(make_server: Make) -> None:
    server = make_server()
    home = server.home / ".milepost"
    server.env |= {
        "MILEPOST_HOME": str(home),
        "MILEPOST_DATABASE_URL": f"sqlite:///{home / 'milepost.db'}",
    }
    server.start()
    server.callback({"job_id": "job-1", "status": "provisioning"})
    kept = server.home / "checkpoint.txt"
    kept.write_text(milepost(server, "checkpoint").stdout, encoding="utf-8")
    [block] = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    subprocess.run(["bash", "-euc", block], cwd=server.home, env=server.env, check=True)  # noqa: S607

    copy = server.home / "milepost-backup.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    server.callback({"job_id": "job-2", "status": "provisioning"})
    server.stop()
    for beside in home.glob("milepost.db*"):
        beside.unlink()
    shutil.copy(copy, home / "milepost.db")
    server.start()
    verified = milepost(server, "verify", "--checkpoint", str(kept))
    assert verified.returncode == 0, verified.stdout
    assert "Checkpoints that the log extends: 1" in verified.stdout
    assert server.get("/api/jobs/job-1").status == 200
    assert server.get("/api/jobs/job-2").status == 404

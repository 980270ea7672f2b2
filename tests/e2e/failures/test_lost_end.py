"""Real servers over a database that loses its newest events, or its file."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

from tests.support.processes.server import MILEPOST, Make, Server
from tests.support.stores.postgres_server import PostgresServer, create_database


def report(server: Server, job_id: str) -> int:
    """Send a callback; return its position."""
    answer = server.callback({"job_id": job_id, "status": "provisioning"})
    assert answer.status == 200, answer
    return int(answer.body["position"])


def lost_ends(server: Server) -> int:
    return int(server.get("/readyz").body.get("lost_ends", -1))


def remembered(server: Server) -> int:
    """Return the newest position that a restart would know."""
    files = (server.home / "milepost" / "seen").glob("*.json")
    memories = [json.loads(file.read_bytes())["memory"] for file in files]
    return max((mark["position"] for each in memories for mark in each["marks"]), default=0)


def told(server: Server) -> int:
    return server.log.read_text().count("the log has lost its end")


def milepost(server: Server, *arguments: str) -> str:
    done = subprocess.run(
        [MILEPOST, *arguments], env=server.env, cwd=server.home, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_a_restored_backup_is_noticed_by_the_next_start_until_it_is_acknowledged(
    make_server: Make,
) -> None:
    server = make_server().start()
    file = server.home / "test.db"
    report(server, "in the backup")
    with sqlite3.connect(file) as live, sqlite3.connect(server.home / "backup.db") as backup:
        live.backup(backup)
    for connection in (live, backup):
        connection.close()
    lost = report(server, "after it")
    server.until(lambda: remembered(server) == lost, "forgets what it has seen")
    server.kill()
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink()
    (server.home / "backup.db").rename(file)

    server.start()

    server.until(lambda: lost_ends(server) == 1, "does not notice")
    assert told(server) == 1
    assert json.loads(milepost(server, "losses", "list", "--json"))[0]["job_id"] == "after it"
    milepost(server, "losses", "acknowledge", "--reason", "a drill")
    assert lost_ends(server) == 0
    assert server.stop() == 0
    server.start()
    assert report(server, "later") == lost
    assert lost_ends(server) == 0
    assert told(server) == 1, "the next start knows of the acknowledgement"


def test_a_database_that_went_back_under_a_running_server_is_noticed(make_server: Make) -> None:
    """A file copy of the data folder in place of the newer one: what a restore of a disk does."""
    postgres = PostgresServer(fsync=True)
    try:
        postgres.start()
        server = make_server(create_database(postgres.dsn)).start()
        report(server, "in the copy")
        postgres.stop("fast")
        copy = postgres.folder.with_name("copy")
        subprocess.run(["/bin/cp", "-a", postgres.folder, copy], check=True)
        postgres.start()
        server.until(lambda: server.get("/readyz").status == 200, "does not come back")
        report(server, "after it")
        report(server, "after it")
        postgres.stop()
        shutil.rmtree(postgres.folder)
        copy.rename(postgres.folder)
        postgres.start()

        server.until(lambda: lost_ends(server) == 1, "does not notice")

        assert report(server, "later")
        assert lost_ends(server) == 1
    finally:
        postgres.remove()


def test_a_server_whose_file_was_moved_away_takes_no_callback_until_it_is_back(
    make_server: Make,
) -> None:
    server = make_server().start()
    file, away = server.home / "test.db", server.home / "away.db"
    report(server, "before")
    file.rename(away)

    for _ in range(3):
        assert server.callback({"job_id": "job", "status": "provisioning"}).status == 503
    answer = server.get("/readyz")
    assert answer.status == 503
    assert answer.body["reason"] == "file_replaced"
    assert not Path(file).exists(), "nothing makes another one"
    away.rename(file)

    assert report(server, "after")
    server.until(lambda: server.get("/readyz").status == 200, "is not ready")
    lines = server.log.read_text().splitlines()
    assert 1 <= sum("no callback is taken" in line for line in lines) <= len(server.processes())

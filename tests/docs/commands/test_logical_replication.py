"""A move to another PostgreSQL by logical replication, with the commands of the page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.people.pasting import run
from tests.support.processes.server import MILEPOST, Make, Server
from tests.support.stores.postgres_server import PostgresServer, create_database

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations" / "moving.md").read_text(encoding="utf-8")


@pytest.fixture
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """The old PostgreSQL and the new one."""
    old, new = (PostgresServer(settings={"wal_level": "logical"}) for _ in range(2))
    try:
        old.start()
        new.start()
        yield old, new
    finally:
        old.remove()
        new.remove()


def commands(begin: str, old: str, new: str) -> str:
    """Return the commands of the page that begin with this comment, for these databases."""
    found: str
    [found] = re.findall(rf"^```sh\n# {begin}:.*\n((?:.*\n)*?)```", PAGE, re.MULTILINE)
    there = str(found).replace("postgresql://milepost@old.example/milepost", f"'{old}'")
    return there.replace("postgresql://milepost@new.example/milepost", f"'{new}'")


def report(server: Server, job_id: str) -> int:
    """Let a job run; return the position of the callback."""
    answer = server.callback({"job_id": job_id, "status": "running"}, **{"Idempotency-Key": job_id})
    assert answer.status == 200, answer
    return int(answer.body["position"])


def test_a_database_that_is_copied_while_it_grows_is_whole_after_the_switch(
    servers: tuple[PostgresServer, PostgresServer], make_server: Make, tmp_path: Path
) -> None:
    old, new = (create_database(each.dsn) for each in servers)
    server = make_server(old).start()
    token = ["tokens", "create", "reader", "--scope", "read"]
    subprocess.run([MILEPOST, *token], env=server.env, check=True, capture_output=True)
    report(server, "before")
    assert run("milepost checkpoint --wait 30", server, tmp_path)
    run(commands("begin to copy", old, new), server, tmp_path)
    for number in range(5):
        report(server, f"during-{number}")
    assert "Folded 6 events" in run("milepost rebuild", server, tmp_path)
    last = report(server, "last")
    # The tree grows meanwhile, although nothing tells the rows of its head apart.
    until_in_tree(server)
    assert server.stop() == 0

    said = run(commands("switch", old, new), server, tmp_path)

    assert "no findings" in said
    assert "Checkpoints that the log extends: 1" in said
    server.env["MILEPOST_DATABASE_URL"] = new
    server.start()
    assert report(server, "during-1") == last - 4, "a redelivery is one still"
    assert [report(server, f"after-{number}") for number in range(3)] == [
        last + 1,
        last + 2,
        last + 3,
    ]
    assert server.get("/readyz").body["lost_ends"] == 0
    assert "reader" in run("milepost tokens list", server, tmp_path)
    assert "no findings" in run("milepost verify", server, tmp_path)


def until_in_tree(server: Server) -> None:
    server.until(lambda: server.get("/readyz").body["tree_lag_events"] == 0, "does not grow a tree")

"""The commands for backup and restore, run as they stand in their page."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.people.pasting import run
from tests.support.processes.server import MILEPOST, TOKEN, Make, Server
from tests.support.stores.postgres_server import create_database

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations" / "backup.md").read_text(encoding="utf-8")
BACKUPS, RESTORES = (
    dict(re.findall(rf"^```sh\n# {what} ([\w ]+):.*\n((?:.*\n)*?)```", PAGE, re.MULTILINE))
    for what in ("back up", "restore")
)
SERVICE = (ROOT / "docs" / "setup" / "service.md").read_text(encoding="utf-8")
DATABASE = "postgresql://milepost@db.example/milepost"


def lived(server: Server, name: str) -> None:
    """Let a job begin and run; its name says when."""
    for body in ({"status": "provisioning"}, {"status": "running", "server_ip": "203.0.113.7"}):
        assert server.callback({"job_id": name, **body}).status == 200


def statuses(server: Server) -> dict[str, int]:
    return {name: server.get(f"/api/jobs/{name}").status for name in ("before", "after")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the backups go."""
    made = tmp_path / "backups"
    made.mkdir()
    return made


def test_a_sqlite_file_is_backed_up_beside_its_server_and_restored(
    make_server: Make, folder: Path
) -> None:
    server = make_server()
    del server.env["MILEPOST_DATABASE_URL"]
    server.start()
    lived(server, "before")

    run(BACKUPS["SQLite"], server, folder)
    lived(server, "after")
    assert server.stop() == 0
    said = run(RESTORES["SQLite"], server, folder)

    assert "no findings" in said
    assert "Checkpoints that the log extends: 1" in said
    assert statuses(server.start()) == {"before": 200, "after": 404}
    lived(server, "after")


def test_a_service_is_backed_up_and_restored_beside_it(make_server: Make, folder: Path) -> None:
    """The test is the account of the service, and stands for `sudo` and `systemctl`."""
    server = make_server()
    del server.env["MILEPOST_DATABASE_URL"]
    server.start()
    lived(server, "before")
    section = PAGE.partition("### Beside the service\n")[2].partition("\n## ")[0]
    backup, restore = re.findall(r"^```sh\n((?:.*\n)*?)```", section, re.MULTILINE)
    before_stop, stops, while_stopped = restore.partition("sudo systemctl stop milepost\n")
    while_stopped, starts, after_start = while_stopped.partition("sudo systemctl start milepost\n")
    assert (before_stop, bool(stops), bool(starts), after_start) == ("", True, True, "")

    run_beside(backup, server, folder)
    lived(server, "after")
    assert server.stop() == 0
    said = run_beside(while_stopped, server, folder)

    assert "no findings" in said
    assert "Checkpoints that the log extends: 1" in said
    assert statuses(server.start()) == {"before": 200, "after": 404}
    lived(server, "after")


def run_beside(commands: str, server: Server, folder: Path) -> str:
    """Paste the commands into a shell without settings, after the service's function."""
    [function] = re.findall(r"^```sh\n(milepost\(\) {\n(?:.*\n)*?}\n)", SERVICE, re.MULTILINE)
    token = server.home / "admin-token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    for page, here in (
        ("/var/backups/milepost", folder / "of-the-service"),
        ("/var/lib/milepost", server.env["MILEPOST_HOME"]),
        ("/etc/milepost/admin-token", token),
        ("/opt/milepost/bin/milepost", MILEPOST),
        ("-o milepost -g milepost", f"-o {os.geteuid()} -g {os.getegid()}"),
    ):
        assert page in function + PAGE
        function, commands = (text.replace(page, str(here)) for text in (function, commands))
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n', encoding="utf-8")
    sudo.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", function + commands],  # noqa: S607
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_find_the_events_of_a_clone(make_server: Make) -> None:
    """Nothing sets MILEPOST_HOME there."""
    server = make_server()
    del server.env["MILEPOST_DATABASE_URL"], server.env["MILEPOST_HOME"]
    server.start()
    lived(server, "before")

    run(BACKUPS["SQLite"], server, server.home)
    lived(server, "after")
    assert server.stop() == 0
    run(RESTORES["SQLite"], server, server.home)

    [old] = (server.home / ".milepost").glob("old-*")
    assert (old / "milepost.db").exists()
    assert statuses(server.start()) == {"before": 200, "after": 404}


def test_a_postgresql_database_is_backed_up_beside_its_server_and_restored(
    make_server: Make, postgres_server_dsn: str, folder: Path
) -> None:
    url = create_database(postgres_server_dsn)
    name = re.search(r"milepost_\w+", url)
    assert name
    restored = url.replace(name[0], f"{name[0]}_restored")
    server = make_server(url).start()
    lived(server, "before")

    run(BACKUPS["PostgreSQL"].replace(DATABASE, f"'{url}'"), server, folder)
    lived(server, "after")
    assert server.stop() == 0
    commands = RESTORES["PostgreSQL"].replace(f"{DATABASE}_restored", f"'{restored}'")
    commands = commands.replace(DATABASE, f"'{url}'")
    said = run(commands.replace(" milepost_restored", f" {name[0]}_restored"), server, folder)

    assert "no findings" in said
    assert "Checkpoints that the log extends: 1" in said
    server.env["MILEPOST_DATABASE_URL"] = restored
    assert statuses(server.start()) == {"before": 200, "after": 404}
    lived(server, "after")


def test_an_export_is_a_backup_of_the_log_and_restored_into_an_empty_database(
    make_server: Make, folder: Path
) -> None:
    server = make_server().start()
    lived(server, "before")

    run(BACKUPS["an export"], server, folder)
    lived(server, "after")
    assert server.stop() == 0
    new = f"sqlite:///{folder}/new.db"
    commands = RESTORES["an export"].replace("sqlite:////srv/milepost/new.db", new)
    said = run(commands, server, folder)

    assert "no findings" in said
    assert "Checkpoints that the log extends: 1" in said
    server.env["MILEPOST_DATABASE_URL"] = new
    assert statuses(server.start()) == {"before": 200, "after": 404}
    lived(server, "after")


def test_the_folder_of_a_server_at_work_can_be_copied(make_server: Make, folder: Path) -> None:
    """Such a copy may lack commits. But nothing in the folder holds up the program that copies."""
    server = make_server()
    del server.env["MILEPOST_DATABASE_URL"]
    server.start()
    lived(server, "before")

    subprocess.run(
        ["cp", "-r", server.env["MILEPOST_HOME"], folder],  # noqa: S607
        check=True,
        timeout=60,
    )

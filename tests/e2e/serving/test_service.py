"""Milepost as a service: started as the units start it, and heard by a service manager."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api.serving.processes.supervisor import END_SECONDS
from tests.support.processes.lacking import lacking
from tests.support.processes.server import MILEPOST, SECRET, TOKEN, Make, Server
from tests.support.processes.service_manager import NotifySocket, abstract, at_path

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
INSTALLED = "/opt/milepost/bin/milepost"
SECRETS = {
    "callback-secret": SECRET,
    "admin-token": TOKEN,
    "job-key-secret": "thirty-two or more random letters",
    "link-secret": "other thirty-two or more random letters",
}
REAPER = """\
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: this process inherits as PID 1 does
subprocess.run(["sh", "-c", "sleep 0.1 & sleep 0.1 &"])
os.execv(sys.argv[1], sys.argv[1:])
"""


class Unit:
    """A unit's file, as far as it says how the server is started."""

    def __init__(self, name: str) -> None:
        self.text = (UNITS / f"{name}.service").read_text(encoding="utf-8")

    def all(self, key: str) -> list[str]:
        """Return the values of a key, in order."""
        return re.findall(rf"^{key}=(.*)$", self.text, re.MULTILINE)

    def environment(self, folder: Path, database_url: str | None) -> dict[str, str]:
        """Return the variables that it sets; make its credentials and its state in the folder."""
        credentials = folder / "credentials"
        credentials.mkdir()
        for each in self.all("LoadCredential"):
            name, _, source = each.partition(":")
            assert source == f"/etc/milepost/{name}"
            (credentials / name).write_text(f"{self._secret(name, database_url)}\n")
        set_by_unit = [each.split("=", 1) for each in self.all("Environment")]
        places = {"%S": str(folder), "%d": str(credentials)}
        return {
            name: re.sub("%[Sd]", lambda found: places[found[0]], value)
            for name, value in set_by_unit
        }

    @staticmethod
    def _secret(name: str, database_url: str | None) -> str:
        if name == "database-url":
            return database_url or ""
        if name == "checkpoint-key":
            command = [str(MILEPOST), "checkpoint", "--new-key", "milepost.example"]
            return subprocess.check_output(command, text=True).strip()
        return SECRETS[name]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    """A service manager."""
    with at_path(tmp_path) as made:
        yield made


@pytest.fixture
def abstract_manager() -> Iterator[NotifySocket]:
    """A service manager whose socket has no file."""
    with abstract() as made:
        yield made


def as_service(server: Server, manager: NotifySocket) -> Server:
    """Return a server that a service manager starts, and whose watchdog has 3 s."""
    server.env |= {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "3000000"}
    return server


@pytest.mark.parametrize("name", ["milepost", "milepost-sqlite"])
def test_systemd_finds_no_fault_with_a_unit(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        lacking("units are tested with systemd-analyze, which is not installed")
    unit = Unit(name)
    assert unit.all("ExecStart") == [f"{INSTALLED} serve"]
    copy = tmp_path / f"{name}.service"
    copy.write_text(unit.text.replace(INSTALLED, str(MILEPOST)), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "kind"), [("milepost", "manager"), ("milepost-sqlite", "abstract_manager")]
)
def test_a_server_with_the_settings_of_a_unit_says_when_it_is_ready_and_when_it_ends(
    name: str, kind: str, make_server: Make, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = make_server()
    manager: NotifySocket = request.getfixturevalue(kind)
    database_url = request.getfixturevalue("postgres_dsn") if name == "milepost" else None
    server.env = {"PATH": server.env["PATH"], **Unit(name).environment(tmp_path, database_url)}
    as_service(server, manager).start()

    manager.until("READY=1")
    assert manager.heard[0] == "STATUS=Preparing the database"
    assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
    manager.until("WATCHDOG=1", times=3)
    assert server.process
    server.process.send_signal(signal.SIGTERM)
    manager.until(stopping(2))
    assert server.process.wait(30) == 0

    assert manager.all().count("READY=1") == 1
    log = server.log.read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS.values() if secret in log]


def stopping(drain_seconds: float) -> str:
    """Return what a server says that begins to end."""
    return f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round((drain_seconds + END_SECONDS) * 1e6)}"


def test_a_server_that_drains_for_longer_than_its_unit_gives_it_asks_for_the_time(
    make_server: Make, manager: NotifySocket
) -> None:
    """Without that, systemd would kill it in the middle of its requests."""
    server = as_service(make_server(), manager)
    server.env["MILEPOST_DRAIN_SECONDS"] = "60"
    server.start()
    assert server.process

    server.process.send_signal(signal.SIGTERM)

    manager.until(stopping(60))
    [unit_seconds] = Unit("milepost").all("TimeoutStopSec")
    assert 2 + END_SECONDS < float(unit_seconds) < 60 + END_SECONDS
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 128 + signal.SIGTERM


def test_the_service_manager_hears_of_a_worker_that_hangs_and_of_the_next_one(
    make_server: Make, manager: NotifySocket
) -> None:
    server = as_service(make_server(), manager).start()
    manager.until("STATUS=1 of 1 workers answer")
    [_, worker] = server.processes()

    worker.suspend()

    manager.until("STATUS=0 of 1 workers answer")
    signs = manager.all().count("WATCHDOG=1")
    assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
    manager.until("STATUS=1 of 1 workers answer", times=2)
    manager.until("WATCHDOG=1", times=signs + 1)


def test_a_server_takes_the_status_of_the_processes_that_it_inherits(make_server: Make) -> None:
    """As PID 1 of a container it inherits them, and nobody else would."""
    server = make_server(None, command=(sys.executable, "-c", REAPER, MILEPOST)).start()
    assert server.process
    parent = psutil.Process(server.process.pid)

    def has_only_its_own() -> bool:
        return not [child for child in parent.children() if child.name() in ("sleep", "sh")]

    server.until(has_only_its_own, "keeps zombies")
    assert server.callback({"job_id": "job-1", "type": "heartbeat"}).status == 200
    assert server.stop() == 0

"""Commands whose Python, standard streams or folder are not as usual."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.people.shell import Shell
from tests.support.processes.server import MILEPOST, Server


def ended(home: Path, script: str, **environment: str) -> tuple[int, str]:
    """Run a line for `sh`, in which `$M` is the command; return its exit status and its stderr."""
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "M": str(MILEPOST),
            "MILEPOST_HOME": str(home),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["serve", "jobs", "--help", "--version"])
def test_a_python_without_docstrings_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    """Milepost's messages are docstrings; workers ended one after the other for lack of them."""
    status, said = ended(tmp_path, f'"$M" {command} --port 1', PYTHONOPTIMIZE="2")

    assert status == 1
    assert said.startswith("Error: PYTHONOPTIMIZE: ")
    assert said.count("\n") == 1


def test_another_wsgi_server_without_docstrings_gets_the_same_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-c", "import milepost; milepost.create_app()"],
        env={**os.environ, "MILEPOST_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "InvalidSetting: PYTHONOPTIMIZE: " in done.stderr


@pytest.mark.parametrize("command", ["serve", "jobs", "init-db"])
def test_a_folder_that_is_gone_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "gone").mkdir()

    script = f'cd "{tmp_path}/gone" && rmdir ../gone && "$M" {command}'
    status, said = ended(tmp_path, script, MILEPOST_HOME="")

    assert status == 1
    assert said.startswith("Error: MILEPOST_HOME: .milepost is looked for in the folder ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "command", ["jobs", "export --format csv", "verify", "rebuild", "status", "--help"]
)
def test_a_closed_output_is_one_line(empty: Shell, tmp_path: Path, command: str) -> None:
    empty("init-db")

    status, said = ended(tmp_path / "home", f'"$M" {command} >&-')

    assert status == 1
    assert said.splitlines()[-1] == "Error: the output cannot be written: Bad file descriptor"
    assert "Traceback" not in said


def test_too_few_files_are_one_line(tmp_path: Path) -> None:
    status, said = ended(tmp_path, 'ulimit -n 40; "$M" serve')

    assert status == 1
    assert said.startswith("Error: the system allows a process 40 open files (ulimit -Hn); ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">/dev/full"])
def test_a_server_needs_none_of_its_standard_streams(tmp_path: Path, closed: str) -> None:
    server = Server(tmp_path, command=("/bin/sh", "-c", f'exec "$0" "$@" {closed}', MILEPOST))
    try:
        server.start()
        assert server.get("/readyz").status == 200
    finally:
        server.kill()


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What a library writes to standard output would come to the database, or to a client."""
    server = Server(tmp_path, command=("/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', MILEPOST))
    try:
        process = server.start().process
        assert process
        opened = [str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in range(3)]
    finally:
        server.kill()

    assert opened == [os.devnull] * 3

"""The wheel: an installed Milepost takes no other package's name, and no other one takes its."""

from __future__ import annotations

import os
import signal
import subprocess
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.processes.installation import Installation
from tests.support.processes.server import PATIENCE_SECONDS, SECRET, TOKEN, Make

ROOT = Path(__file__).parents[2]
SETTINGS = {"MILEPOST_CALLBACK_SECRET": SECRET, "MILEPOST_ADMIN_TOKEN": TOKEN}


NAMES = ("domain", "projections", "api")


def add_packages(folder: Path) -> None:
    """Give a folder packages that have the names of ours."""
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a project that has packages with the names of ours."""
    add_packages(tmp_path)
    return tmp_path


def python(made: Installation, folder: Path, code: str, **settings: str) -> str:
    """Run a program in the folder, which Python then searches first; return its output."""
    done = subprocess.run(
        [made.python, "-c", code],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_wheel_has_one_package_and_all_of_it(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert tops == {"milepost", f"milepost-{version('milepost')}.dist-info"}
    assert names == {
        f"milepost/{path.relative_to(ROOT / 'milepost')}"
        if top == "milepost"
        else f"milepost/packages/{path.relative_to(ROOT)}"
        for top in ("milepost", *NAMES)
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {"milepost/packages/clients/reporter/milepost_report.py"}


@pytest.mark.parametrize("name", ["milepost", "neighbour"])
def test_every_installed_file_is_as_its_wheel_had_it(installation: Installation, name: str) -> None:
    hashed = [file for file in installation.distribution(name).files or () if file.hash]

    assert hashed
    for file in hashed:
        digest = sha256(file.read_binary()).digest()
        assert file.hash is not None
        assert file.hash.value == urlsafe_b64encode(digest).decode().rstrip("="), file


def test_both_packages_are_imported_each_in_its_own_process(
    installation: Installation, tmp_path: Path
) -> None:
    assert python(installation, tmp_path, "import api; print(api.OF)") == "the neighbour\n"
    assert "milepost/packages/api/" in python(
        installation, tmp_path, "import milepost, api; print(api.__file__)"
    )


def test_the_command_says_its_version(installation: Installation, folder: Path) -> None:
    for command in ([installation.milepost], [installation.python, "-m", "milepost"]):
        said = subprocess.check_output([*command, "--version"], cwd=folder, text=True)

        assert said.endswith(f"version {version('milepost')}\n")


@pytest.mark.parametrize("module", [False, True], ids=["milepost", "python -m milepost"])
def test_it_serves_in_a_folder_with_packages_of_the_same_names(
    installation: Installation, make_server: Make, module: bool
) -> None:
    command = [installation.python, "-m", "milepost"] if module else [installation.milepost]
    server = make_server(command=command)
    add_packages(server.home)
    server.start()
    parent, worker = server.processes()

    answer = server.callback({"job_id": "job-1", "type": "heartbeat"})

    assert answer.status == 200, answer
    assert {parent.cmdline()[0], worker.cmdline()[0]} == {str(installation.python)}
    parent.send_signal(signal.SIGTERM)
    assert server.process is not None
    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert not worker.is_running()
    assert "Traceback" not in server.log.read_text()


def test_another_server_gets_the_application(installation: Installation, folder: Path) -> None:
    """And `import milepost` alone loads nothing of the web."""
    program = """
import milepost, sys
print("flask" in sys.modules)
site = milepost.create_app().test_client()
print(site.get("/readyz").status_code)
print(site.get("/sign-in").status_code)
"""
    assert python(installation, folder, program, **SETTINGS) == "False\n200\n200\n"


def test_another_server_has_no_credentials_made_up(
    installation: Installation, folder: Path
) -> None:
    said = python(installation, folder, "import milepost; milepost.create_app()")

    assert said.splitlines()[-1].endswith(
        "InvalidSetting: set MILEPOST_CALLBACK_SECRET and MILEPOST_ADMIN_TOKEN: "
        "only `milepost serve` generates credentials"
    )
    assert not (folder / ".milepost").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_package_of_the_same_name_that_is_there_first_is_one_clear_error(
    installation: Installation, folder: Path, name: str
) -> None:
    said = python(installation, folder, f"import {name}, milepost")

    error = said.splitlines()[-1]
    assert error.startswith(f"ImportError: milepost needs its own package {name!r}, but ")
    assert str(folder / name / "__init__.py") in error

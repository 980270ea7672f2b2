"""Another account of the machine, which owns files or runs a command of Milepost.

Only root can give a file away, or be another account.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.support.processes.lacking import needs_root
from tests.support.processes.server import free_port

ANOTHER = 65534
"""The user and group id of another account."""
# Everything is imported first: the other account may not be able to read the environment.
AS_ANOTHER = """
import encodings.idna, encodings.utf_8_sig, os, sys
from api.cli import main, run
[*main.commands.values()]
user, *arguments = sys.argv[1:]
os.setgroups([])
os.setgid(int(user))
os.setuid(int(user))
sys.argv = ["milepost", *arguments]
run()
"""


def give_away(path: Path) -> None:
    """Make the other account the owner of a file or a folder."""
    needs_root("gives a file to another account")
    os.chown(path, ANOTHER, ANOTHER)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a folder of the other account's that both accounts reach."""
    needs_root("runs a command as another account")
    folder = Path(tempfile.mkdtemp(prefix="mp-account-", dir="/tmp"))
    os.chown(folder, ANOTHER, ANOTHER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@cache
def _source() -> Path:
    """Copy the source once: the other account may not be able to enter the folder of ours."""
    copy = Path(tempfile.mkdtemp(prefix="mp-source-", dir="/tmp"))
    atexit.register(shutil.rmtree, copy)
    copy.chmod(0o755)
    for package in ("milepost", "domain", "projections", "api"):
        copy_package(Path(__file__).parents[3] / package, copy / package)
    return copy


def copy_package(package: Path, copy: Path) -> None:
    """Copy the folder of a package, which other processes may import meanwhile.

    Python writes a compiled module as `name.pyc.number` and renames it then: such a file vanishes.
    """
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("*.pyc.*"))


def command_of(
    folder: Path,
    *arguments: str,
    user: int = ANOTHER,
    home: Path | None = None,
    umask: int = -1,
) -> subprocess.Popen[str]:
    """Start a command as that account, with its home in the folder."""
    return subprocess.Popen(
        [sys.executable, "-c", AS_ANOTHER, str(user), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(_source()), *sys.path]),
            "MILEPOST_HOME": str(home or folder / "home"),
            # Somebody's own server may have the default port.
            "MILEPOST_PORT": str(free_port()),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    )


def run_as(
    folder: Path,
    *arguments: str,
    user: int = ANOTHER,
    home: Path | None = None,
    umask: int = -1,
) -> tuple[int, str, str]:
    """Run a command as that account; return its status, what it printed and what it said."""
    with command_of(folder, *arguments, user=user, home=home, umask=umask) as process:
        out, said = process.communicate(timeout=120)
    return process.returncode, out, said

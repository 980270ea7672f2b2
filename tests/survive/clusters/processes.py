"""Processes of clusters: how they are started, and how a PostgreSQL is killed."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.stores.postgres_server import SYSTEM_USER
from tests.survive.waiting import until

USER = SYSTEM_USER if os.geteuid() == 0 else None
"""Who runs PostgreSQL, which refuses to be run by root."""


def run(command: Sequence[str], home: Path) -> subprocess.Popen[bytes]:
    """Start a program of Debian with a home of its own, where its output goes to `log`."""
    if USER:
        account = pwd.getpwnam(USER)
        for path in (home, *home.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
    # Debian's Python must not find the packages of this environment.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, cwd="/", env=env, user=USER, stdout=log, stderr=log)


def kill_postgres(data: Path) -> None:
    """Kill the postmaster of a data folder, if it runs; its other processes end by themselves."""
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        postmaster = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if str(data) not in " ".join(postmaster.cmdline()):
            return
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        until(lambda: not any(map(_runs, family)), f"PostgreSQL outlives its postmaster: {family}")
        # In a container, nobody may have reaped the process: then its id is in use still, and
        # PostgreSQL would not start.
        pid_file.unlink(missing_ok=True)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""A heavy store: jobs with long errors, callbacks of 1 MiB, and the peak memory of processes."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any, Final

from api.http.bodies import MAX_BODY_BYTES
from domain.application import Milepost
from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from tests.e2e.inspection import database_of
from tests.support.processes.server import MILEPOST, SECRET, Server

MOST_BYTES: Final = 256 * 10**6
"""What no process may exceed."""
ERROR: Final = "fatal: " + "the reason, " * 5_000
SENDERS: Final = 8
WRITERS: Final = 64
PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")
PROGRAM: Final = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    sys.stderr.write(open("/proc/self/status").read())
"""


def burden(server: Server, jobs: int, large: int) -> dict[str, int]:
    """Burden a running server with failed jobs and large callbacks, and read all of it again.

    Returns the most bytes that each process took: projector, worker, and the commands that read the
    whole log.
    """
    with database_of(server) as services:
        fail_jobs(services.milepost, jobs)
        send_large(server, large)
        send_heartbeats(server, jobs)
        position = services.milepost.store.newest_position()
        while services.read_model.position() < position:
            sleep(0.1)  # another process is waited for; the caller's time is bounded
    found = peaks(server)
    for command in (["rebuild"], ["export", "log.jsonl"], ["verify"]):
        found[command[0]] = peak_of_command(server.env, server.home, *command)
    return found


def fail_jobs(milepost: Milepost, count: int) -> None:
    """Register so many jobs, `failed-0` and so on, and let each fail with an error of 60 KB."""

    def live(number: int) -> None:
        job_id = f"failed-{number}"
        milepost.queue(QueueJob(job_id=job_id, agent_id=f"agent-{number}", workflow="vm@1"))
        milepost.record(Callback(job_id=job_id, status="provisioning"))
        milepost.record(Callback(job_id=job_id, status="failed", error=f"{number} {ERROR}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(live, range(count)):
            pass


def large_callback(number: int) -> Mapping[str, object]:
    """Return a callback of almost 1 MiB: one long text or, every tenth time, 300,000 lists."""
    shell = {"job_id": f"large-{number % 7}", "status": "provisioning", "step": f"step-{number}"}
    if number % 10:
        return {**shell, "log": "x" * (MAX_BODY_BYTES - 500)}
    return {**shell, "log": json.loads(f"[{','.join(['[]'] * (MAX_BODY_BYTES // 4))}]")}


def send_large(server: Server, count: int) -> None:
    """Send so many callbacks of 1 MiB, several at a time."""
    _send(server, [large_callback(number) for number in range(count)])


def send_heartbeats(server: Server, jobs: int) -> None:
    """Send a heartbeat for each of the failed jobs, several at a time."""
    _send(server, [{"job_id": f"failed-{n}", "type": "heartbeat"} for n in range(jobs)])


def _send(server: Server, callbacks: list[Mapping[str, object]]) -> None:
    def send(callback: Mapping[str, object]) -> int:
        body = json.dumps(callback, separators=(",", ":")).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": signature}
        return server.request("POST", "/api/webhooks/github", body, headers).status

    with ThreadPoolExecutor(SENDERS) as pool:
        assert set(pool.map(send, callbacks)) == {200}


def peaks(server: Server) -> dict[str, int]:
    """Return the most bytes that the server's projecting parent and its worker ever took."""
    parent, *workers = server.processes()
    names = ["projector", *(f"worker {number}" for number, _ in enumerate(workers, start=1))]
    return {
        name: _peak(Path(f"/proc/{process.pid}/status").read_text())
        for name, process in zip(names, [parent, *workers], strict=True)
    }


def peak_of_command(env: Mapping[str, str], folder: Path, *arguments: str) -> int:
    """Run a command of `milepost`; return the most bytes that it ever took."""
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(MILEPOST), *arguments],
        env=dict(env),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return _peak(done.stderr)


def _peak(status: str) -> int:
    found = PEAK.search(status)
    assert found, status
    return int(found[1]) * 1024

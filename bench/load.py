"""Load: wrk (https://github.com/wg/wrk) sends requests that were signed before."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.stage import ADMIN_TOKEN, SECRET, Server

CONNECTIONS = 32
CALIBRATIONS = 3
WEBHOOK = "/api/webhooks/github"

# Lua compiles at most 65,536 constants, so the script reads the requests from a file. One thread
# of wrk asks for each next request; `delay` spreads the requests at random, evenly.
SEPARATOR = "\x1e"
SCRIPT = """
local requests = {{}}
for each in io.open({requests}, 'rb'):read('*a'):gmatch('[^\\30]+') do
  requests[#requests + 1] = each
end
local k = 0
function request() k = k % #requests + 1; return requests[k] end
{delay}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {{"answered": %d, "seconds": %f, "p50": %f, "p99": %f,' ..
    ' "refused": %d, "broken": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
"""
DELAY = "function delay() return math.random(0, {twice}) end"


class MissingWrk(Exception):
    """wrk is not installed; on Debian: apt-get install wrk."""


class Result(NamedTuple):
    """The result of one run; latencies in milliseconds.

    `refused` counts answers with an error status, `broken` counts connections without an answer.
    """

    answered: int
    seconds: float
    p50: float
    p99: float
    refused: int = 0
    broken: int = 0

    @property
    def rate(self) -> float:
        """Requests answered per second, without errors."""
        return (self.answered - self.refused) / self.seconds


class Request(NamedTuple):
    """An HTTP request for wrk to repeat."""

    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def raw(self, host: str) -> str:
        """Return the request's text in HTTP/1.1."""
        sized = {"Content-Length": str(len(self.body.encode()))} if self.body else {}
        lines = [
            f"{name}: {value}" for name, value in {"Host": host, **self.headers, **sized}.items()
        ]
        return "\r\n".join([f"{self.method} {self.path} HTTP/1.1", *lines, "", self.body])


def signed(fields: dict[str, object]) -> Request:
    """Return a callback as the seed's workflow sends it: pretty-printed, X-Signature."""
    body = json.dumps(fields, indent=2)
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Signature": signature, "Content-Type": "application/json"}
    return Request("POST", WEBHOOK, headers, body)


def steps(jobs: int) -> list[Request]:
    """Return a step callback for each of the jobs."""
    fields = {"status": "provisioning", "step": "vm_created"}
    return [signed({"job_id": f"job-{n}", **fields}) for n in range(jobs)]


def heartbeats(jobs: int) -> list[Request]:
    """Return a heartbeat for each of the jobs."""
    return [signed({"job_id": f"job-{n}", "type": "heartbeat"}) for n in range(jobs)]


def reads(jobs: int, headers: dict[str, str] | None = None) -> list[Request]:
    """Return a read of each job's agent."""
    bearer = {"Authorization": f"Bearer {ADMIN_TOKEN}", **(headers or {})}
    return [Request("GET", f"/api/agents/agent-{n}/instance", bearer) for n in range(jobs)]


def require_wrk() -> None:
    """Raise `MissingWrk` if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise MissingWrk(MissingWrk.__doc__)


def load(
    server: Server,
    requests: Sequence[Request],
    seconds: float,
    *,
    folder: Path,
    connections: int = CONNECTIONS,
    pause: float = 0,
) -> Result:
    """Send the requests again and again for `seconds`, with a mean `pause` in milliseconds.

    A connection sends its next request after the answer to its last one and the pause.
    """
    delay = DELAY.format(twice=round(2 * pause)) if pause else ""
    script, file = folder / "load.lua", folder / "requests"
    host = f"127.0.0.1:{server.port}"
    file.write_bytes(SEPARATOR.join(each.raw(host) for each in requests).encode())
    script.write_text(SCRIPT.format(requests=json.dumps(str(file)), delay=delay))
    whole = max(1, round(seconds))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s"]
    done = subprocess.run(
        [*command, str(script), server.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=whole + 60,
    )
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        raise RuntimeError(f"wrk measured nothing: {done.stdout}{done.stderr}")
    return Result(**json.loads(result.removeprefix("RESULT ")))


def pause_for(
    rate: float, server: Server, requests: Sequence[Request], seconds: float, folder: Path
) -> float:
    """Return the pause in milliseconds that gives this rate in requests per second."""
    cycle = 1000 * CONNECTIONS / rate
    pause = cycle
    for _ in range(CALIBRATIONS):
        result = load(server, requests, seconds, folder=folder, pause=pause)
        # The rest of a cycle, without its pause, is the time of the answer.
        pause = max(0.0, cycle - (1000 * CONNECTIONS / result.rate - pause))
    return pause

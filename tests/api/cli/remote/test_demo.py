"""`milepost demo`, on a real server: what it plays, what it refuses, and what it leaves."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from api.cli.remote.stage import as_table
from api.demo.playing import Row
from api.demo.story import CAST, scenes
from api.settings.config import from_environment
from api.wiring import open_services
from projections.reactions.deadlines import Note
from projections.reactions.presence import Presence
from projections.read_model.contract import NOTE_OF_DEADLINES
from tests.support.processes.server import MILEPOST, PATIENCE_SECONDS, Make, Server, free_port

QUICK = ("--speed", "50")
UNDER_WAY = {"pending", "provisioning"}


@pytest.fixture
def first_start(make_server: Make) -> Server:
    """A server as `make run` starts it: nothing configured, in an empty folder."""
    server = make_server()
    for name in list(server.env):
        if name.startswith("MILEPOST_"):
            del server.env[name]
    return server.start()


def play(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo against the server, as somebody in its folder does."""
    return subprocess.run(
        [MILEPOST, "demo", "--url", server.url, *options],
        cwd=server.home,
        env=server.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_SECONDS,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line in which the demo was refused."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_success_a_retry_and_a_silence_are_played_again_and_again(first_start: Server) -> None:
    put_on_path(first_start, str(MILEPOST.parent))
    for _ in range(2):
        done = play(first_start, *QUICK)
        assert done.returncode == 0, done.stderr

    assert {command.split()[0] for command in commands_in(done.stdout)} == {"milepost"}
    token = (first_start.home / ".milepost" / "admin-token").read_text(encoding="utf-8").strip()
    jobs = first_start.get("/api/jobs", token).body["jobs"]
    by_agent = {part.agent: [j for j in jobs if j["agent_id"] == part.agent] for part in CAST}
    assert [len(found) for found in by_agent.values()] == [2, 2, 2]
    web, db, lost = (found[0] for found in by_agent.values())
    assert (web["status"], web["attempt"]) == ("running", 1)
    assert (db["status"], db["attempt"], db["retry_count"]) == ("running", 2, 1)
    assert (lost["status"], lost["health"]["state"]) == ("provisioning", "unresponsive")
    # A server that has just begun knows of no silence before itself, and the demo says so.
    assert "The server gives no job up yet" in done.stdout
    events = first_start.get(f"/api/jobs/{db['id']}/events", token).body["events"]
    signers = [event["signed_by"] for event in events if event["signed_by"]]
    assert {signer["scheme"] for signer in signers} == {"standard-webhooks"}
    assert all(signer["key_id"].startswith("job-key:") for signer in signers)


def put_on_path(server: Server, *ours: str) -> None:
    """Put these folders on PATH, and the command's own nowhere else."""
    # An activated environment has it on PATH already.
    others = [each for each in server.env["PATH"].split(":") if each != str(MILEPOST.parent)]
    server.env["PATH"] = ":".join([*ours, *others])


def commands_in(shown: str) -> list[str]:
    """Return the commands that the demo names at its end."""
    return re.findall(r"^  (\S*milepost [a-z]+(?: demo-\S+)?)  ", shown, re.MULTILINE)


def test_every_command_and_page_that_it_names_is_there(first_start: Server) -> None:
    """A command is named as the reader can type it: by its path, as its folder is not on PATH."""
    put_on_path(first_start)
    done = play(first_start, *QUICK)

    commands = commands_in(done.stdout)
    assert [command.split()[1] for command in commands] == ["jobs", "jobs", "replay", "audit"]
    assert {command.split()[0] for command in commands} == {str(MILEPOST)}
    for command in commands:
        subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            cwd=first_start.home,
            env=first_start.env,
            capture_output=True,
            check=True,
        )
    pages = re.findall(rf"^  {first_start.url}(/\S+)  ", done.stdout, re.MULTILINE)
    assert len(pages) == 3
    [file] = re.findall(r"the token in (\S+)$", done.stdout, re.MULTILINE)
    token = (first_start.home / file).read_text(encoding="utf-8").strip()
    assert {first_start.get(page, token).status for page in pages} == {200}


def test_a_server_that_was_there_all_the_time_gives_the_silent_job_up(make_server: Make) -> None:
    """It takes nothing but dated signatures of jobs' own keys, which are what the demo sends."""
    server = make_server()
    server.env |= {"MILEPOST_SIGNATURES": "dated", "MILEPOST_SHARED_SECRET": "off"}
    server.start()
    server.stop()
    services = open_services(from_environment(server.env))
    there = Note(Presence(seen_at=datetime.now(UTC)))
    services.read_model.keep_note(NOTE_OF_DEADLINES, msgspec.json.encode(there).decode())
    services.close()
    server.start()

    done = play(server, *QUICK)

    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("demo-lost, ")]
    assert re.search(r"failed, at attempt 1\. Timeout: No heartbeat for \d+s\.$", line)


def test_where_other_jobs_are_it_plays_only_if_somebody_says_so(server_with_a_job: Server) -> None:
    before = server_with_a_job.get("/api/events").body["events"]

    assert "nothing was written" in refusal(play(server_with_a_job, *QUICK))
    assert server_with_a_job.get("/api/events").body["events"] == before

    assert play(server_with_a_job, *QUICK, "--yes").returncode == 0


@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks_and_shows_a_table(
    server_with_a_job: Server, answer: str, status: int
) -> None:
    before = server_with_a_job.get("/api/events").body["events"]
    screen, keyboard = os.openpty()
    termios.tcsetwinsize(screen, (40, 80))
    playing = subprocess.Popen(
        [MILEPOST, "demo", "--url", server_with_a_job.url, *QUICK],
        env={**server_with_a_job.env, "TERM": "xterm"},
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
    )
    os.close(keyboard)
    os.write(screen, f"{answer}\n".encode())

    shown = everything(screen)

    assert playing.wait(PATIENCE_SECONDS) == status, shown
    assert "Play there all the same? [y/N]" in shown
    written = server_with_a_job.get("/api/events").body["events"] != before
    assert (written, "Its user sees" in shown) == (answer == "y",) * 2


def test_an_interruption_of_the_question_writes_nothing(server_with_a_job: Server) -> None:
    before = server_with_a_job.get("/api/events").body["events"]
    screen, keyboard = os.openpty()
    playing = subprocess.Popen(
        [MILEPOST, "demo", "--url", server_with_a_job.url],
        env={**server_with_a_job.env, "TERM": "xterm"},
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
    )
    os.close(keyboard)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(screen, 4096)

    playing.send_signal(signal.SIGINT)

    shown += everything(screen).encode()
    assert playing.wait(PATIENCE_SECONDS) == 130, shown
    assert b"Interrupted; nothing was written." in shown
    assert server_with_a_job.get("/api/events").body["events"] == before


def everything(screen: int) -> str:
    """Return what the last program on a terminal shows until it ends."""
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(screen, "rb", buffering=0) as output:
        while some := output.read(65536):
            shown += some
    return shown.decode()


@pytest.fixture
def server_with_a_job(make_server: Make) -> Server:
    server = make_server().start()
    server.post("/api/jobs", {"agent_id": "agent-1", "job_id": "job-1"})
    server.until(lambda: server.get("/api/jobs").body["jobs"], "lists no job")
    return server


def test_an_interruption_leaves_nothing_that_needs_somebody(make_server: Make) -> None:
    """It comes while a machine is left behind, which the story would remove a moment later."""
    server = make_server().start()
    playing = subprocess.Popen(
        [MILEPOST, "demo", "--url", server.url, "--speed", "2"],
        env=server.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.until(lambda: server.get("/api/jobs?status=failed").body["jobs"], "shows no failure")

    playing.send_signal(signal.SIGINT)
    _, said = playing.communicate(timeout=PATIENCE_SECONDS)

    assert playing.returncode == 130
    assert said == "Interrupted; no job of the demo is left under way.\n"
    jobs = [server.get(f"/api/jobs/{job['id']}").body for job in _listed(server)]
    assert len(jobs) == 3
    assert not {job["status"] for job in jobs} & UNDER_WAY
    assert server.get(f"/api/jobs?attention=true&min_position={_newest(jobs)}").body == {"jobs": []}


def _listed(server: Server) -> list[dict[str, str]]:
    found: list[dict[str, str]] = server.get("/api/jobs").body["jobs"]
    return found


def _newest(jobs: list[dict[str, int]]) -> int:
    return max(job["position"] for job in jobs)


def test_without_a_server_it_is_refused_in_one_line(make_server: Make) -> None:
    server = make_server()

    said = refusal(play(server))

    assert f"no Milepost answers at {server.url}" in said
    assert "--url" in said


def test_a_server_of_another_home_is_refused_in_one_line(server: Server) -> None:
    server.env["MILEPOST_ADMIN_TOKEN"] = "another-admin-token-for-tests"  # noqa: S105

    assert "does not know the token in MILEPOST_ADMIN_TOKEN" in refusal(play(server))


def test_a_folder_without_a_token_is_refused_in_one_line(make_server: Make) -> None:
    server = make_server()
    del server.env["MILEPOST_ADMIN_TOKEN"]

    said = refusal(play(server))

    assert "there is no admin token in" in said
    assert "MILEPOST_ADMIN_TOKEN_FILE" in said, "which a service has"


class Other(http.server.BaseHTTPRequestHandler):
    """A server that is no Milepost."""

    def do_GET(self) -> None:
        """Answer with a page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<p>It works!</p>")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name there
        """Say nothing."""


@pytest.fixture
def other_server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", free_port()), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_is_no_milepost_is_refused_in_one_line(make_server: Make, other_server: str) -> None:
    said = refusal(play(make_server(), "--url", other_server))

    assert "what answers is no Milepost" in said


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://a:b"])
def test_an_unusable_url_is_wrong_usage(make_server: Make, url: str) -> None:
    done = play(make_server(), "--url", url)

    assert done.returncode == 2
    assert "is not like http://127.0.0.1:8000" in done.stderr


def test_the_story_is_told_in_order_and_within_half_a_minute() -> None:
    told = scenes("tag")

    assert [scene.at for scene in told] == sorted(scene.at for scene in told)
    assert told[-1].at < 20


def test_the_table_fits_into_eighty_columns() -> None:
    rows = [Row(part, "0a1b2c") for part in CAST]
    longest = max((scene.words for scene in scenes("tag")), key=len)
    for row in rows:
        row.words = longest
        row.job = {
            "status": "provisioning",
            "outcome": None,
            "steps": [
                {"label": "Queued", "status": "completed"},
                {"label": "Installing Dependencies", "status": "active"},
                *[{"label": "Running", "status": "pending"}] * 3,
            ],
            "health": {"state": "unresponsive"},
        }
    out = Console(width=80, record=True, file=None, quiet=False)
    with out.capture() as shown:
        out.print(as_table(rows))

    text = shown.get()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("unresponsive") == 3
    assert text.count(longest) == 3, "nothing is cut"

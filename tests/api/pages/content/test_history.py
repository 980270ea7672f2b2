"""The history on a job's page: events, the slider through time, and callbacks as commands."""

from __future__ import annotations

import hashlib
import html
import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.web.scripted_http import scripted
from tests.support.web.site import JOB_KEY_SECRET, MACHINE, SECRET, Site, sign

LINE = re.compile(r'aria-label="Command"><code>(.*?)</code>', re.DOTALL)
RECORDER = """#!/bin/sh
printf '%s\\n' "$@" > "$RECORDED/arguments"
"""


def lines_of(text: str) -> list[str]:
    """Return the commands on a page, the newest callback's first."""
    return [html.unescape(found) for found in LINE.findall(text)]


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A folder with a `curl` that writes down what it was called with."""
    curl = tmp_path / "curl"
    curl.write_text(RECORDER)
    curl.chmod(0o755)
    return tmp_path


def sent(line: str, folder: Path, secret: str = SECRET) -> tuple[str, str, str]:
    """Run a command; return the URL, the signature and the body that curl was called with."""
    env = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "RECORDED": str(folder),
        "CALLBACK_SECRET": secret,
    }
    subprocess.run(["/bin/sh", "-c", line], env=env, check=True, timeout=20)
    arguments = (folder / "arguments").read_text()
    _, url, _, header, _, body = arguments.removesuffix("\n").split("\n", 5)
    return url, header.removeprefix("X-Signature: "), body


def test_each_event_says_when_what_and_by_whom(database_site: Site) -> None:
    site = database_site
    site.register()
    site.report(status="provisioning", step="vm_created", note="a <b> of my own")

    text = site.get("/jobs/job-1").text

    assert "<bdi>Step vm_created</bdi>" in text
    assert "<bdi>Registered</bdi>" in text
    assert "a &lt;b&gt; of my own" in text
    assert "by <bdi>x-signature:" in text
    assert "by <bdi>token admin &#34;admin&#34;</bdi>" in text
    assert '<time datetime="2026' in text


def test_an_event_that_came_late_has_its_senders_time_beside_ours(memory_site: Site) -> None:
    """It waited on its sender's disk, and nobody knows whether the clock is wrong instead."""
    site = memory_site
    late, prompt = (site.clock.now - timedelta(seconds=ago) for ago in (80, 50))
    site.report(status="provisioning", step="vm_created", occurred_at=late.isoformat())
    site.report(status="provisioning", step="network_configured", occurred_at=prompt.isoformat())

    text = site.get("/jobs/job-1").text

    assert text.count("its sender says <time") == 1
    assert f'its sender says <time datetime="{late:%Y-%m-%dT%H:%M:%S}' in text
    assert "its clock is 80 s behind ours, or a callback came so late" in text


def test_a_clock_that_is_ahead_is_said_so(memory_site: Site) -> None:
    ahead = memory_site.clock.now + timedelta(seconds=80)
    memory_site.report(status="provisioning", step="vm_created", occurred_at=ahead.isoformat())

    assert "its clock is 80 s ahead of ours" in memory_site.get("/jobs/job-1").text


def test_a_command_sends_what_the_callback_said(memory_site: Site, ran: Path) -> None:
    site = memory_site
    said: dict[str, Any] = {
        "status": "failed",
        "error": 'it\'s "5 > 4" $HOME `id`\n\u202e',
        "note": {"a": [1]},
    }
    site.report(**said)

    [line] = lines_of(site.get("/jobs/job-1").text)
    url, signature, body = sent(line, ran)

    assert url == "http://localhost/api/webhooks/github"
    assert json.loads(body) == {"job_id": "job-1", **said}
    answer = site.unsigned(body.encode(), {"X-Signature": signature})
    assert answer.status_code == 200
    assert SECRET not in line
    assert signature not in line


def test_a_command_reads_no_file_that_a_callback_names(memory_site: Site) -> None:
    site = memory_site
    key = site.register()["callback_key"]
    body = b"@/proc/version"
    refused = site.unsigned(body, {"X-Signature": sign(body, key)}, "/api/callbacks/job-1")
    assert refused.status_code == 400

    [line] = lines_of(site.get("/jobs/job-1").text)
    with scripted(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        line = line.replace("http://localhost", server.url)
        env = {"PATH": "/usr/bin:/bin", "CALLBACK_SECRET": key}
        subprocess.run(["/bin/sh", "-c", line], env=env, check=True, timeout=20)

    assert f"Content-Length: {len(body)}\r\n" in server.requests[0]
    assert f"X-Signature: {sign(body, key)}\r\n" in server.requests[0]


def test_a_callback_that_became_two_events_is_one_command(memory_site: Site, ran: Path) -> None:
    site = memory_site
    site.report(status="running", **MACHINE)

    [line] = lines_of(site.get("/jobs/job-1").text)

    assert json.loads(sent(line, ran)[2]) == {"job_id": "job-1", "status": "running", **MACHINE}


def test_a_callback_by_the_key_of_its_job_goes_to_the_url_of_the_job(
    memory_site: Site, ran: Path
) -> None:
    site = memory_site
    key = site.register("a/b")["callback_key"]
    answer = site.callback({"type": "heartbeat"}, path="/api/callbacks/a%2Fb", secret=key)
    assert answer.status_code == 200

    [line] = lines_of(site.get("/jobs/a/b").text)
    url, signature, body = sent(line, ran, key)

    assert url == "http://localhost/api/callbacks/a%2Fb"
    taken = site.unsigned(body.encode(), {"X-Signature": signature}, "/api/callbacks/a%2Fb")
    assert taken.status_code == 200
    page = site.get("/jobs/a/b").text
    assert key not in page
    assert JOB_KEY_SECRET not in page


def test_a_refused_callback_is_shown_with_what_its_sender_was_told(
    memory_site: Site, ran: Path
) -> None:
    site = memory_site
    site.report(status="provisioning")
    raw = '{\n\t"job_id": "job-1", "status": "odd\\u200d \u200d!"\n}'.encode()
    assert site.callback(raw).status_code == 400

    text = site.get("/jobs/job-1").text

    assert "1 callback was refused" in text
    assert "Unknown status" in text
    assert sent(lines_of(text)[0], ran)[2] == raw.decode()


def test_no_signature_of_a_callback_is_on_the_page(memory_site: Site) -> None:
    raw = b'{"job_id": "job-1", "status": "running"}'
    memory_site.callback(raw)

    text = memory_site.get("/jobs/job-1?version=1").text

    assert sign(raw) not in text
    assert hashlib.sha256(raw).hexdigest() not in text


def test_the_slider_shows_the_job_as_it_was(database_site: Site) -> None:
    site = database_site
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="failed", error="no lock")
    site.report(status="provisioning", workflow_run_id="2")
    site.report(status="running", **MACHINE)
    newest = site.job()["version"]

    past = site.get("/jobs/job-1?version=3").text

    assert f"the job after event 3 of {newest}" in past
    assert "Failed at Installing Dependencies, step 3 of 5." in past
    assert 'aria-current="step"' in past
    assert "no lock" in past
    assert f'max="{newest}" value="3"' in past
    assert 'href="/jobs/job-1?version=2"' in past
    assert 'href="/jobs/job-1?version=4"' in past
    # What was not known then is not shown as if it had been.
    assert MACHINE["server_ip"] not in past.split('data-live="history"')[0]
    assert 'method="post"' not in past
    assert "data-since" not in past


def test_a_time_leads_to_the_job_as_it_was_then(memory_site: Site) -> None:
    site = memory_site
    site.report(status="provisioning")
    at = site.job()["created_at"].replace("+00:00", "Z")
    site.clock.advance(60)
    site.report(status="running")

    assert "the job after event 1 of 2" in site.get(f"/jobs/job-1?at={at}").text


def test_heartbeats_in_a_row_are_one_line(memory_site: Site) -> None:
    site = memory_site
    site.report(status="provisioning")
    for _ in range(5):
        site.clock.advance(60)
        site.report(type="heartbeat")
    site.report(status="provisioning", step="vm_created")

    assert "5 heartbeats, events 2 to 6, until " in site.get("/jobs/job-1").text


def test_a_long_history_has_pages(memory_site: Site) -> None:
    site = memory_site
    for number in range(60):
        site.report(status="provisioning", step=f"step-{number}")

    newest = site.get("/jobs/job-1").text
    assert 'id="event-60"' in newest
    assert 'id="event-11"' in newest
    assert 'id="event-10"' not in newest
    older = html.unescape(newest.split('rel="next" href="')[1].split('"')[0])
    assert older == "/jobs/job-1?until=10"
    text = site.get(older).text
    assert 'id="event-10"' in text
    assert 'id="event-11"' not in text
    assert 'href="/jobs/job-1?until=60"' in text

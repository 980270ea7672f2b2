"""What is sent: words, ids, runs, times, signatures; and what is not: the key."""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from standardwebhooks import Webhook

from clients.reporter.milepost_report import (
    UNPROVEN_SECONDS,
    VERSION,
    Unusable,
    target_of,
    word_of,
)
from tests.clients.reporter.gate import answering, babble, forward, with_clock
from tests.clients.reporter.job import Job
from tests.clients.reporter.program import PATIENCE_SECONDS, USUAL, until
from tests.support.processes.server import SECRET, Server

MACHINE = ("--server-id", "srv-1", "--server-ip", "203.0.113.7", "--tailscale-ip", "100.64.0.7")
GITHUB = {"GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "2"}
SETTINGS = {
    "MILEPOST_CALLBACK_URL": "https://milepost.example/api/callbacks/job%201",
    "MILEPOST_CALLBACK_KEY": "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
}


def the_next_second_begins() -> None:
    """Return in another second than now: times of attempts are compared in whole seconds."""
    now = int(time.time())
    until(lambda: int(time.time()) > now, "the clock stands still")


def test_a_run_is_reported_from_its_beginning_to_its_end(job: Job) -> None:
    assert job.report("status", "provisioning", **GITHUB).returncode == 0
    assert job.report("step", "vm_created", *MACHINE, **GITHUB).returncode == 0
    assert job.report("heartbeat", **GITHUB).returncode == 0
    assert job.report("metadata", "image=debian-12", "mode=full", **GITHUB).returncode == 0
    assert job.shown["current_step"] == "vm_created"
    assert job.report("status", "running", **GITHUB).returncode == 0

    shown = job.shown
    assert (shown["status"], shown["server_id"], shown["server_ip"], shown["tailscale_ip"]) == (
        "running",
        *MACHINE[1::2],
    )
    assert (shown["workflow_run_id"], shown["run_attempt"]) == ("4711", 2)
    said = [event["payload"] for event in job.events() if "metadata" in str(event["payload"])]
    assert "debian-12" in json.dumps(said)
    assert all(event["id_signed"] for event in job.events())


@pytest.mark.parametrize(
    ("word", "status", "outcome"),
    [
        ("success", "running", "running"),
        ("failure", "failed", "failed"),
        ("failed", "failed", "failed"),
        ("cancelled", "failed", "cancelled"),
        ("canceled", "failed", "cancelled"),
    ],
)
def test_the_words_of_ci_systems_for_an_end_are_understood(
    job: Job, word: str, status: str, outcome: str
) -> None:
    job.report("status", word, "--error", "no quota", "--failed-step", "terraform")

    shown = job.shown
    assert (shown["status"], shown["outcome"]) == (status, outcome)


def test_every_word_is_signed_as_standard_webhooks_libraries_verify_it(job: Job) -> None:
    job.report("step", "vm_created")

    [seen] = job.gate.seen
    Webhook(job.key).verify(seen.body, seen.headers)
    assert seen.headers["user-agent"] == f"milepost-report/{VERSION}"


def test_a_secret_for_all_jobs_signs_too_and_comes_from_a_file(job: Job, milepost: Server) -> None:
    file = job.report.home / "secret"
    file.write_text(f"\ufeff{SECRET}\n", encoding="utf-8")
    own = f"http://127.0.0.1:{milepost.port}/api/callbacks"
    settings = {"MILEPOST_CALLBACK_KEY": "", "MILEPOST_CALLBACK_KEY_FILE": str(file)}

    job.report("step", "vm_created", **settings)
    job.report(
        "step",
        "network_configured",
        **settings,
        MILEPOST_CALLBACK_URL=own,
        MILEPOST_JOB_ID=job.id,
    )

    assert job.said() == ["vm_created", "network_configured"]


def test_a_delivery_has_one_id_and_the_same_bytes_however_often_it_is_sent(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    for _ in range(2):
        job.report("step", "vm_created", **GITHUB, **USUAL)
    job.gate.way = forward
    assert job.report.flush() == 0

    deliveries = [(seen.headers["webhook-id"], seen.body) for seen in job.gate.seen]
    assert len(deliveries) > len(set(deliveries)) == 2
    assert len({delivery for delivery, _ in deliveries}) == 2
    assert all(delivery.startswith("4711-2-vm_created-") for delivery, _ in deliveries)


def test_what_a_rerun_says_is_no_redelivery_of_what_the_run_said(job: Job) -> None:
    """Nor is what a loop within one run says again after a failure."""
    for run in (GITHUB, {**GITHUB, "GITHUB_RUN_ATTEMPT": "3"}):
        for word in ("provisioning", "failed"):
            job.report("status", word, **run)
    assert job.shown["attempt"] == 2

    for word in ("provisioning", "failed", "provisioning", "running"):
        job.report("status", word, MILEPOST_RUN_ID="5000")
        # Without a number of the attempt, what is said in the second of a failure is part of it.
        the_next_second_begins()

    assert (job.shown["status"], job.shown["attempt"]) == ("running", 4)


def test_what_is_noted_after_a_failure_begins_nothing(job: Job) -> None:
    """A CI job's last script may note where its log is; most CI systems number no attempts."""
    pipeline = {"CI_PIPELINE_ID": "88"}
    for word in ("provisioning", "failed"):
        job.report("status", word, **pipeline)
    the_next_second_begins()

    job.report("metadata", "log=https://ci.example/88", **pipeline)

    assert (job.shown["status"], job.shown["attempt"]) == ("failed", 1)
    assert "https://ci.example/88" in json.dumps(job.events())


def test_what_waited_keeps_the_time_at_which_it_happened(job: Job) -> None:
    job.gate.way = answering("503 Service Unavailable")
    before = datetime.now(UTC)
    job.report("step", "vm_created", **USUAL)
    after = datetime.now(UTC)
    job.gate.way = forward
    assert job.report.flush() == 0

    [event] = job.events()
    assert before <= datetime.fromisoformat(event["occurred_at"]) <= after


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_a_wrong_clock_is_corrected_by_the_servers_date(job: Job, ahead: int) -> None:
    job.gate.way = with_clock(ahead, time.time)

    done = job.report("step", "vm_created", "--strict")

    assert (done.returncode, done.stderr) == (0, b"")
    first, second = job.gate.seen
    assert first.body == second.body, "the word's own time is the sender's"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    off = re.search(r"the clock is (\S+) s off", job.report("check").stdout.decode())
    assert off is not None
    assert abs(float(off[1]) + ahead) < PATIENCE_SECONDS


def test_a_wrong_clock_is_corrected_once(job: Job) -> None:
    job.gate.way = answering("401 Unauthorized", Date=formatdate(time.time() + 7200, usegmt=True))

    job.report("step", "vm_created", **USUAL)

    assert len(job.gate.seen) == 2


@pytest.mark.parametrize("ahead", [UNPROVEN_SECONDS + 600, -UNPROVEN_SECONDS - 600])
def test_nothing_is_signed_for_another_day_because_a_server_without_tls_says_so(
    job: Job, ahead: int
) -> None:
    """Whoever is on the way could keep it, and deliver it then."""
    job.gate.way = answering("401 Unauthorized", Date=formatdate(time.time() + ahead, usegmt=True))

    job.report("step", "vm_created", **USUAL)

    assert len(job.gate.seen) == 1


def test_a_warning_of_milepost_is_shown(job: Job) -> None:
    done = job.report("step", "vm_create")

    assert done.returncode == 0
    assert "did you mean 'vm_created'?" in done.stderr.decode()


def test_what_a_server_says_can_forge_no_line_of_a_log(job: Job) -> None:
    said = {"received": True, "warning": "a\n::set-output name=x::y\x1b[31m\x85b"}
    job.gate.way = answering("200 OK", json.dumps(said).encode())

    done = job.report("step", "vm_created")

    assert done.stderr == b"milepost-report: warning: a ::set-output name=x::y [31m b\n"


@pytest.mark.parametrize("order", ["##vso[task.prependpath]/tmp", "###[add-mask]a", "##teamcity["])
def test_what_a_server_says_gives_the_runner_no_order(job: Job, order: str) -> None:
    job.gate.way = answering("400 Bad Request", json.dumps({"detail": order}).encode())

    done = job.report("step", "vm_created")

    said = done.stderr.decode()
    assert order.lstrip("#") in said
    assert "##" not in said


def test_the_check_says_what_is_right_and_records_nothing(job: Job) -> None:
    done = job.report("check", **GITHUB)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"takes the key; the clock is right" in done.stdout
    assert f"job {job.id}, run 4711 attempt 2".encode() in done.stdout
    assert job.events() == []


def test_the_check_says_what_is_wrong(job: Job) -> None:
    wrong = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
    done = job.report("check", MILEPOST_CALLBACK_KEY=wrong)
    assert done.returncode == 1
    assert b"Milepost answered 401: " in done.stderr

    done = job.report("check", MILEPOST_CALLBACK_URL="http://127.0.0.1:1/api/callbacks/job-1")
    assert done.returncode == 1
    assert b"Connection refused" in done.stderr
    assert b"no answer: " in done.stderr
    assert job.report("check", MILEPOST_CALLBACK_KEY="").returncode == 1

    job.gate.way = babble
    done = job.report("check")
    assert done.returncode == 1
    assert b"what answers is no Milepost: " in done.stderr
    assert b"no answer" not in done.stderr


def test_the_key_is_nowhere_but_in_the_environment(job: Job) -> None:
    bare = job.key.removeprefix("whsec_")
    job.gate.way = answering("503 Service Unavailable")
    shows = 'cat /proc/$PPID/cmdline; echo "$MILEPOST_CALLBACK_KEY $KEY" >&2; exit 1'

    done = job.report("run", "--step", "a", "--", "sh", "-c", shows, KEY=bare, **USUAL)
    failed = job.report("status", "failed", "--error", f"curl said {job.key}", **USUAL)

    assert bare.encode() not in done.stdout + failed.stdout + failed.stderr
    kept = [path.read_text() for path in job.report.waiting()]
    assert len(kept) == 3
    assert not any(bare in text or job.key in text for text in kept)
    job.gate.way = forward
    assert job.report.flush() == 0
    assert [event["payload"].get("error") for event in job.events()] == [
        None,
        "Exit status 1\n*** ***",
        "curl said ***",
    ]


def test_a_proxy_is_used_unless_the_host_is_excepted(job: Job) -> None:
    proxy = f"http://user:word@127.0.0.1:{job.gate.port}"
    elsewhere = job.report.env["MILEPOST_CALLBACK_URL"].replace("127.0.0.1", "milepost.invalid")

    done = job.report("step", "vm_created", MILEPOST_CALLBACK_URL=elsewhere, http_proxy=proxy)

    assert done.stderr == b""
    [seen] = job.gate.seen
    assert seen.line.startswith("POST http://milepost.invalid:")
    assert b64decode(seen.headers["proxy-authorization"].partition(" ")[2]) == b"user:word"
    job.report("step", "network_configured", http_proxy=proxy, no_proxy="127.0.0.1")
    assert job.gate.seen[-1].line.startswith("POST /api/")


@pytest.mark.parametrize(
    ("environ", "run"),
    [
        ({}, (None, None)),
        (GITHUB, ("4711", "2")),
        ({"CI_PIPELINE_ID": "88", "CI_JOB_ID": "1234"}, ("88", None)),
        ({"BUILD_TAG": "jenkins-deploy-7"}, ("jenkins-deploy-7", None)),
        ({"BUILDKITE_BUILD_ID": "0190-ab", "BUILDKITE_RETRY_COUNT": "1"}, ("0190-ab", None)),
        ({"CIRCLE_WORKFLOW_ID": "5f-1"}, ("5f-1", None)),
        ({"BITBUCKET_PIPELINE_UUID": "{6a-2}"}, ("{6a-2}", None)),
        ({"BUILD_BUILDID": "901"}, ("901", None)),
        ({**GITHUB, "MILEPOST_RUN_ID": "mine"}, ("mine", None)),
        ({"MILEPOST_RUN_ID": "mine", "MILEPOST_RUN_ATTEMPT": "4"}, ("mine", "4")),
    ],
)
def test_the_run_is_what_the_ci_system_calls_it(
    environ: Mapping[str, str], run: tuple[str | None, str | None]
) -> None:
    target = target_of({**SETTINGS, **environ})

    assert (target.run_id, target.run_attempt) == run
    assert target.job_id == "job 1"


def test_a_word_says_when_it_happened_by_the_clock_that_is_given() -> None:
    word = word_of(target_of(SETTINGS), {"status": "provisioning"}, lambda: 1_772_459_000.25)

    body: dict[str, Any] = json.loads(word.body)
    assert body == {
        "job_id": "job 1",
        "status": "provisioning",
        "occurred_at": "2026-03-02T13:43:20.250000+00:00",
    }


def test_text_that_is_no_utf_8_is_sent_as_utf_8() -> None:
    target = target_of(SETTINGS)

    word = word_of(target, {"status": "failed", "error": "a\udcffb"})

    assert json.loads(word.body)["error"] == "a?b"
    assert word.id.isascii()


def test_an_id_fits_into_a_header_whatever_it_is_made_of() -> None:
    environ = {**SETTINGS, "MILEPOST_RUN_ID": "ü\n" * 300, "MILEPOST_RUN_ATTEMPT": "9" * 300}
    word = word_of(target_of(environ), {"status": "provisioning", "step": "n" * 300})

    assert word.id.isascii()
    assert word.id.isprintable()
    assert len(word.id) <= 200


def test_a_url_of_all_jobs_needs_the_name_of_one() -> None:
    url = {"MILEPOST_CALLBACK_URL": "https://milepost.example/api/callbacks"}

    with pytest.raises(Unusable, match="MILEPOST_JOB_ID"):
        target_of({**SETTINGS, **url})
    assert target_of({**SETTINGS, **url, "MILEPOST_JOB_ID": "job-1"}).job_id == "job-1"

"""The last callback of a job, as odd tools send it: the end of the job is never lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.job.events import Received
from tests.support.web.site import MACHINE, Site, body_of

NESTED = b'{"a":' * 40 + b"1" + b"}" * 40
ODD = {
    "a lone surrogate": b'"error": "caf\\udce9 not found"',
    "half an emoji": b'"error": "boom \\ud83d", "log": {"\\ude00": 1}',
    "NUL": b'"error": "a\\u0000b", "log": ["a\\u0000"]',
    "Latin-1": b'"error": "caf\xe9 not found"',
    "Windows-1252 in a name": b'"error": "e", "failed_step": "\x93quoted\x94"',
    "a raw line break, as bash writes": b'"error": "line 1\nline 2"',
    "ANSI colours, raw": b'"error": "\x1b[0;31mfatal\x1b[0m"',
    "right to left": '"error": "\u202eabc e\u0301"'.encode(),
    "70 bits": b'"error": "e", "disk": 1180591620717411303424',
    "1e400": b'"error": "e", "x": 1e400',
    "NaN": b'"error": "e", "load": NaN, "loads": [-Infinity]',
    "40 levels": b'"error": "e", "metadata": ' + NESTED,
    "5,000 levels": b'"error": "e", "metadata": ' + b"[" * 5000 + b"]" * 5000,
    "a name twice": b'"error": "e", "mode": "x", "mode": "y", "metadata": {"a": 1, "a": 2}',
    "no name": b'"error": "e", "": 1',
    "a long name": b'"error": "e", "' + b"k" * 100_000 + b'": 1',
    "many fields": b'"error": "e", ' + b", ".join(b'"k%d": %d' % (n, n) for n in range(5000)),
    "names of ours": b'"error": "e", "version": 9, "recorded_at": "x", "signed_by": "me",'
    b' "digest": "d", "bent": 1, "raw": 2, "attempt": "x", "extra": {"extra": 1}',
    "numbers": b'"error": 137, "failed_step": 3, "server_id": 50123456, "callback_id": 99',
    "lists": b'"error": ["a"], "tailscale_ip": ["100.1.2.3"], "workflow_run_id": [1]',
    "false": b'"error": false, "server_ip": false, "workflow_run_id": true, "occurred_at": false',
    "a naive time": b'"error": "e", "occurred_at": "2026-03-02T12:00:00"',
    "no time": b'"error": "e", "occurred_at": {"seconds": 1}',
    "100 kB": b'"error": "' + b"x" * 100_000 + b'"',
    "900 kB of characters that take six bytes": b'"error": "' + b"\\u00fc" * 150_000 + b'"',
    "700 kB beside": b'"error": "e", "log": "' + b"y" * 700_000 + b'"',
    "700 kB of NUL": b'"error": "e", "log": "' + b"\\u0000" * 110_000 + b'"',
    "a long task": b'"error": "e", "failed_step": "' + b"TASK " * 60 + b'"',
}


def test_a_job_fails_whatever_else_its_last_callback_carries(database_site: Site) -> None:
    for number, (name, odd) in enumerate(ODD.items()):
        job_id = f"job-{number}"
        database_site.register(job_id, f"agent-{number}", f"user-{number}")
        started = database_site.report(job_id, status="provisioning")["version"]
        named = f'"job_id": "{job_id}", "status": "failed", '.encode()

        answer = database_site.callback(b"{" + named + odd + b"}")

        assert answer.status_code == 200, (name, answer.text)
        assert database_site.job(job_id)["status"] == "failed", name
        database_site.project()
        assert database_site.job(job_id)["status"] == "failed", name
        ended = f"/api/jobs/{job_id}/events?kind=StatusReported&after={started}"
        [event] = database_site.read(ended)["events"]
        assert event["error"] is None, name


def test_what_was_bent_is_in_the_audit(site: Site) -> None:
    odd: dict[str, Any] = {**MACHINE, "server_id": 50123456}
    site.report(**odd, status="running")

    events = site.read("/api/jobs/job-1/events")["events"]

    assert [event["payload"].get("bent") for event in events] == [None, {"server_id": 50123456}]
    assert site.job()["server_id"] == "50123456"


def test_an_encoding_of_windows_is_understood(site: Site) -> None:
    text = json.dumps({"job_id": "job-1", "status": "failed", "error": "süß"}, ensure_ascii=False)

    for encoding in ("utf-16", "utf-8-sig"):
        receipt = body_of(site.callback(text.encode(encoding)))
        assert "the body" in receipt["warning"]
    assert site.job()["error"] == "süß"


def test_a_warning_of_what_was_bent_comes_with_every_delivery(site: Site) -> None:
    site.register()
    said = [
        site.report(type="heartbeat", callback_id=99, jobId="x", serverId="y")["warning"]
        for _ in range(2)
    ]

    assert said[0] == said[1]
    assert "callback_id is no text" in said[0]
    assert "did you mean 'server_id'?" in said[0]


def test_a_run_attempt_is_recorded(site: Site) -> None:
    site.report(status="provisioning", workflow_run_id=7, run_attempt="2")

    [event] = site.read("/api/jobs/job-1/events")["events"]
    assert event["payload"]["run_attempt"] == 2


@pytest.mark.parametrize("status", ["FAILED", " failed\n", '"Failed"'])
def test_an_end_in_another_spelling_ends_the_job(database_site: Site, status: str) -> None:
    database_site.register()
    database_site.report(status="provisioning")

    receipt = database_site.report(status=status, error="e")

    assert database_site.job()["status"] == "failed"
    assert receipt["warning"] == "status is spelt 'failed' here"
    fact = database_site.facts()[-1]
    assert isinstance(fact, Received)
    assert fact.bent == {"status": status}


def test_an_id_that_a_tool_wrote_for_nothing_names_no_delivery(database_site: Site) -> None:
    """Otherwise the second callback with it would be refused: an id has one body."""
    database_site.register()

    for status in ("provisioning", "failed"):
        receipt = database_site.report(status=status, callback_id="null", workflow_run_id="null")
        assert "callback_id is 'null', which stands for no value" in receipt["warning"]

    job = database_site.job()
    assert (job["status"], job["attempt"], job["workflow_run_id"]) == ("failed", 1, None)


@pytest.mark.parametrize("again", ["7\n", " 7 ", 7])
def test_white_space_around_a_run_opens_no_attempt(database_site: Site, again: Any) -> None:
    database_site.register()
    database_site.report(status="provisioning", workflow_run_id="7")

    database_site.report(status="running", workflow_run_id=again, server_id="srv-1")

    job = database_site.job()
    assert (job["status"], job["attempt"], job["workflow_run_id"]) == ("running", 1, "7")


def test_a_machine_that_a_tool_wrote_for_nothing_is_not_rolled_back(database_site: Site) -> None:
    database_site.register()
    database_site.report(status="provisioning", step="vm_created", server_id="undefined")

    database_site.report(status="failed", server_id="null", server_ip=" ")

    job = database_site.job()
    assert (job["server_id"], job["rollback_requested_at"]) == (None, None)

"""Bytes mean one thing, whatever a connection's URL, account or environment says of its session."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from domain.workflows.definition import Workflows
from tests.support.people.shell import beside
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.outside import HOSTILE, WAYS
from tests.support.stores.postgres_server import create_database
from tests.support.web.site import Site

ENCODINGS = ("SJIS", "SHIFT_JIS_2004", "EUC_JP", "LATIN1", "SQL_ASCII")
"""The first three write a yen sign as the byte of a backslash; the others cannot write an emoji."""
ODD = r"¥ ¥u0041 \ \u0041 ¥n ‾ ₩ ' '' $1 %s 🚀 é \x41 😀"
"""Texts that are escapes, if somebody reads the wrong bytes."""


@pytest.fixture
def outside(
    request: pytest.FixtureRequest,
    postgres_server_dsn: str,
    workflows: Workflows,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """A site whose every connection gets hostile settings by one way."""
    way, encoding = request.param
    settings = {**HOSTILE, "client_encoding": encoding}
    dsn = WAYS[way](create_database(postgres_server_dsn), settings, monkeypatch)
    env = {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}
    made = Deployment(env, workflows, clock)
    try:
        yield Site(made)
    finally:
        made.close()


@pytest.mark.parametrize(
    "outside",
    [*((way, "SJIS") for way in WAYS), *(("by_role", other) for other in ENCODINGS[1:])],
    indirect=True,
    ids="-".join,
)
def test_a_callback_comes_back_as_it_was_over_every_reader(outside: Site, tmp_path: Path) -> None:
    fields = {
        "status": "failed",
        "callback_id": ODD,
        "error": ODD,
        "failed_step": ODD,
        "server_id": ODD,
        "occurred_at": "2026-03-02T15:28:07.123456+03:30",
        "note": {ODD: [ODD, "2026-03-02", "1 day 02:00:00", 0.1, None, "NULL", "\\x00ff"]},
    }
    body = json.dumps({"job_id": ODD, **fields}).encode()
    outside.register("job-1", "agent-1", "user-1")
    outside.register(job_id=ODD, agent_id=ODD, user_id=ODD, region="us¥east")

    first, again = (json.loads(outside.callback(body).data) for _ in range(2))
    assert (again["position"], again["duplicate"]) == (first["position"], True)

    settle(outside.deployment)
    shell = beside(outside.deployment, tmp_path)
    at = str(tmp_path / "log.jsonl")
    shell("export", at)
    exported = [json.loads(line) for line in Path(at).read_text(encoding="utf-8").splitlines()]
    [reported] = [line["state"] for line in exported if line["topic"] == "StatusReported"]
    events, trail = outside.read("/api/events")["events"], shell.lines("audit", ODD)
    event, audited = (
        next(each for each in entries if each["kind"] == "StatusReported")
        for entries in (events, trail)
    )
    [listed] = [job for job in outside.read("/api/jobs")["jobs"] if job["id"] == ODD]
    instance = outside.instance(quote(ODD))["instance"]
    for said in (reported, event["payload"], audited["payload"]):
        assert [said[name] for name in ("error", "failed_step", "server_id")] == [ODD] * 3
    assert reported["extra"] == {"note": fields["note"]}
    assert reported["callback_id"] == event["callback_id"] == ODD
    assert event["job_id"] == audited["job_id"] == ODD
    assert event["digest"] == audited["digest"] == hashlib.sha256(body).hexdigest()
    assert event["occurred_at"] == audited["occurred_at"] == "2026-03-02T11:58:07.123456+00:00"
    assert event["recorded_at"] == audited["recorded_at"] == outside.clock().isoformat()
    assert (instance["error"], instance["serverId"]) == (ODD, ODD)
    assert (instance["id"], instance["agentId"], instance["region"]) == (ODD, ODD, "us¥east")
    assert listed["error"] == ODD
    shell("verify")


@pytest.mark.parametrize(
    "outside", [("by_database", name) for name in ENCODINGS[:3]], indirect=True, ids="-".join
)
def test_a_yen_sign_takes_over_nobodys_agent_or_job(outside: Site) -> None:
    r"""As the byte of a backslash, the yen sign of `¥u0061` makes it an `a` inside JSON."""
    outside.register("job-1", "agent-1", "alice")
    mallory = outside.token("read", "write", user_id="mallory")
    theirs = outside.instance("agent-1")

    outside.register("job-2", "¥u0061gent-1", "mallory", token=mallory)
    outside.report("¥u006aob-1", status="failed", error="taken over")

    for _ in range(2):
        assert outside.instance("agent-1") == theirs
        assert outside.get("/api/agents/agent-1/instance", mallory).status_code == 404
        assert outside.job("job-1")["status"] == "pending"
        assert outside.job(quote("¥u006aob-1"))["error"] == "taken over"
        outside.project()

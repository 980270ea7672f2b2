"""A page that was opened by a link is live over a stream that its link opens."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.support.people.browsing import Visitor, active_step, connected
from tests.support.people.shell import Shell
from tests.support.processes.server import TOKEN, Server

WITHIN = 15_000
"""A stream ends within 5 s, and the time of one statement."""


def linked(server: Server, of: str, token: str = TOKEN) -> str:
    """Make a link to the page of a job or an agent without its chrome; return its path."""
    bearer = {"Authorization": f"Bearer {token}"}
    answer = server.request("POST", f"/api/{of}/links", json.dumps({}).encode(), bearer)
    assert answer.status == 201, answer
    return str(answer.body["path"])


@pytest.mark.parametrize("of", ["jobs/embedded", "agents/agent-of-embedded"])
def test_who_has_a_link_sees_the_steps_live_without_signing_in(
    stranger: Visitor, server: Server, of: str
) -> None:
    job = {"job_id": "embedded", "agent_id": "agent-of-embedded", "user_id": "user-of-embedded"}
    assert server.post("/api/jobs", job).status in (200, 201, 409)
    server.callback({"job_id": "embedded", "status": "provisioning", "workflow_run_id": of})
    page = stranger.open(linked(server, of))
    connected(stranger)

    server.callback({"job_id": "embedded", "status": "provisioning", "step": "vm_created"})

    expect(active_step(page)).to_have_text("Installing Dependencies")
    [stream] = stranger.streams
    assert f"/embed/streams/{of}?link=" in stream.url


def test_a_link_whose_issuer_is_revoked_ends_in_words(stranger: Visitor, server: Server) -> None:
    shell = Shell(**server.env)
    secret = shell.json("tokens", "create", "page", "--scope", "read")
    server.callback({"job_id": "unlinked", "status": "provisioning"})
    page = stranger.open(linked(server, "jobs/unlinked", secret["token"]))
    connected(stranger)

    shell("tokens", "revoke", secret["id"])

    expect(page.locator("#connection")).to_have_text("This link has ended.", timeout=WITHIN)

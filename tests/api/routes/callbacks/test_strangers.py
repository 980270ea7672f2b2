"""What is posted to the seed's URL and is no callback: GitHub's own webhooks, and forms."""

from __future__ import annotations

import gzip
import hmac

import pytest

from tests.support.web.site import Site, body_of, problem_of, sign

PING = b'{"zen": "Design for failure.", "hook_id": 1, "hook": {"type": "Repository"}}'
PUSH = b'{"ref": "refs/heads/main", "repository": {"id": 1}}'
FORM = b"payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D"


def github(body: bytes, event: str, **headers: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={sign(body)}", "X-GitHub-Event": event, **headers}


@pytest.mark.parametrize("body", [PING, b"payload=%7B%22zen%22%3A+%22%22%7D"])
def test_a_signed_ping_is_answered(memory_site: Site, body: bytes) -> None:
    answer = memory_site.unsigned(body, github(body, "ping"))

    assert answer.status_code == 200
    assert "callbacks of provisioning workflows" in body_of(answer)["warning"]
    assert memory_site.position == 0


def test_a_ping_without_a_signature_is_refused(memory_site: Site) -> None:
    problem_of(memory_site.unsigned(PING, {"X-GitHub-Event": "ping"}), 401, "invalid-signature")


@pytest.mark.parametrize(
    ("body", "event", "slug"),
    [
        (PUSH, "push", "missing-job-id"),
        (PUSH, "workflow_run", "missing-job-id"),
        (FORM, "push", "invalid-json"),
    ],
)
def test_another_event_of_github_is_told_what_the_url_is_for(
    memory_site: Site, body: bytes, event: str, slug: str
) -> None:
    problem = problem_of(memory_site.unsigned(body, github(body, event)), 400, slug)

    assert f"GitHub's own webhooks, {event!r}" in problem["detail"]
    assert "callbacks of provisioning workflows" in problem["detail"]
    assert memory_site.position == 0


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"]
)
def test_a_form_is_told_what_the_url_is_for(memory_site: Site, kind: str) -> None:
    body = b"job_id=job-1&status=failed"

    answer = memory_site.callback(body, headers={"Content-Type": kind})

    problem = problem_of(answer, 400, "invalid-json")
    assert problem["error"] == "Invalid JSON"
    assert "This is a form." in problem["detail"]


@pytest.mark.parametrize(
    "body", [b'{"status": "failed"}', b'\n{"job_id": "a=b",}', b"[1]", b"hello"]
)
def test_json_that_curl_calls_a_form_is_told_what_is_wrong_with_it(
    memory_site: Site, body: bytes
) -> None:
    """`curl -d` says so of every body."""
    answer = memory_site.callback(
        body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert "form" not in problem_of(answer, 400)["detail"]


def test_a_callback_that_a_relay_marks_as_an_event_is_recorded(memory_site: Site) -> None:
    body = b'{"job_id": "job-1", "status": "failed"}'

    answer = memory_site.unsigned(body, github(body, "workflow_dispatch"))

    assert answer.status_code == 200
    assert len(memory_site.facts()) == 1


LOST = {
    "compressed": (gzip.compress(b'{"status": "failed"}'), {"Content-Encoding": "gzip"}, "gzip"),
    "of another coding": (b"\x0b\x02\x80{}\x03", {"Content-Encoding": "BR"}, "br"),
    "dropped": (b"", {}, "has no body"),
}


@pytest.mark.parametrize(("body", "headers", "said"), LOST.values(), ids=LOST)
def test_a_body_that_changed_on_its_way_is_named(
    memory_site: Site, body: bytes, headers: dict[str, str], said: str
) -> None:
    """The sender signed what it had before it, or a proxy, compressed or dropped the body."""
    signed = {"X-Signature": sign(b'{"job_id": "job-1", "status": "failed"}'), **headers}

    problem = problem_of(memory_site.unsigned(body, signed), 401, "invalid-signature")

    assert problem["error"] == "Invalid signature"
    assert said in problem["detail"]
    assert "both sides use the same secret" in problem["detail"]


def test_a_compressed_body_with_its_own_signature_is_named(memory_site: Site) -> None:
    answer = memory_site.callback(b"x\x9c\xabV*", headers={"Content-Encoding": "deflate"})

    assert "Content-Encoding: deflate" in problem_of(answer, 400, "invalid-json")["detail"]


def test_a_url_with_a_slash_after_the_job_is_named(memory_site: Site) -> None:
    registered = body_of(memory_site.post_job({"agent_id": "agent-1", "job_id": "job-1"}))
    body = b'{"status": "failed"}'
    signature = hmac.new(registered["callback_key"].encode(), body, "sha256").hexdigest()

    answer = memory_site.unsigned(body, {"X-Signature": signature}, path="/api/callbacks/job-1/")

    assert "a slash at its end" in problem_of(answer, 401, "invalid-signature")["detail"]

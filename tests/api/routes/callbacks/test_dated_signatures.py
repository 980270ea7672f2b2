"""`MILEPOST_SIGNATURES=dated` takes only signatures whose time is signed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support.web.site import MACHINE, Site, body_of, delivery, like_jq, problem_of, sign

RAW = like_jq({"job_id": "job-1", "status": "provisioning"})
SiteWith = Callable[..., AbstractContextManager[Site]]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Signature": sign(RAW)},
        {"X-Signature": sign(RAW, "of nobody")},
        {"X-Hub-Signature-256": f"sha256={sign(RAW)}"},
        {},
    ],
)
def test_a_signature_without_a_time_is_refused_and_says_what_to_send(
    site_with: SiteWith, headers: dict[str, str]
) -> None:
    with site_with(dated_signatures=True) as site:
        problem = problem_of(site.unsigned(RAW, headers), 401, "undated-signature")

        assert problem["error"] == "Invalid signature"
        assert "MILEPOST_SIGNATURES=dated" in problem["detail"]
        assert "webhook-timestamp" in problem["detail"]
        assert site.position == 0


def test_a_dated_callback_cannot_be_sent_again(site_with: SiteWith) -> None:
    """Within the window its signed id makes it a duplicate; after the window it is refused."""
    with site_with(dated_signatures=True) as site:
        site.register()
        captured = delivery(site, RAW, "msg-1")
        assert site.unsigned(RAW, captured).status_code == 200
        raw = like_jq({"job_id": "job-1", "status": "running", **MACHINE})
        site.unsigned(raw, delivery(site, raw, "msg-2"))
        before = site.position

        again = site.unsigned(RAW, {**captured, "Idempotency-Key": "another"})
        site.clock.advance(301)
        late = site.unsigned(RAW, captured)

        assert body_of(again)["duplicate"]
        problem_of(late, 401, "invalid-signature")
        assert site.position == before


def test_a_captured_callback_of_an_undated_scheme_can_be_sent_again_later(
    site_with: SiteWith,
) -> None:
    """The documents say so. It is recorded again, as what it was, for its own job."""
    with site_with() as site:
        heartbeat = like_jq({"job_id": "job-1", "type": "heartbeat"})
        captured = {"X-Signature": sign(heartbeat)}
        site.unsigned(heartbeat, captured)
        site.clock.advance(86_400)

        assert body_of(site.unsigned(heartbeat, captured))["duplicate"] is False

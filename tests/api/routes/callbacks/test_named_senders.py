"""Named senders: a secret of their own, for the jobs of some workflows and users."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from api.senders.signing_key import key_id
from api.settings.checks.named_senders import NamedSender
from domain.job.events import Received
from tests.support.web.site import CALLBACKS, WEBHOOK, Site, like_jq, problem_of, sign

SiteWith = Callable[..., AbstractContextManager[Site]]
OLD, NEW = "the old secret of the deployers", "the new secret of the deployers"
DEPLOYERS = NamedSender("deployers", (NEW, OLD), workflows=("vm-verified",), users=("ada", "bob"))


def headers(raw: bytes, secret: str = NEW) -> dict[str, str]:
    return {"X-Signature": sign(raw, secret)}


@pytest.mark.parametrize("path", [WEBHOOK, CALLBACKS, f"{CALLBACKS}/job-1"])
@pytest.mark.parametrize("takes_shared_secret", [True, False])
def test_a_named_sender_reports_on_jobs_of_its_workflows_and_users(
    site_with: SiteWith, path: str, takes_shared_secret: bool
) -> None:
    with site_with(named_senders=(DEPLOYERS,), takes_shared_secret=takes_shared_secret) as site:
        site.register(user_id="ada", workflow="vm-verified")
        raw = like_jq({"job_id": "job-1", "status": "provisioning"})

        for secret in (NEW, OLD):
            assert site.unsigned(raw, headers(raw, secret), path).status_code == 200

        signers = [fact.signed_by for fact in site.facts() if isinstance(fact, Received)]
        assert signers == [f"x-signature:deployers:{key_id(each)}" for each in (NEW, OLD)]


@pytest.mark.parametrize(
    "registration",
    [
        {"user_id": "ada", "workflow": "vm"},
        {"user_id": "eve", "workflow": "vm-verified"},
        {"user_id": "", "workflow": "vm-verified"},
        None,
    ],
)
def test_a_named_sender_writes_nothing_about_other_jobs(
    site_with: SiteWith, registration: dict[str, str] | None
) -> None:
    """Neither a callback nor a refusal, and it learns neither version nor position."""
    with site_with(named_senders=(DEPLOYERS,)) as site:
        if registration:
            fields = {name: value for name, value in registration.items() if value}
            site.post_job({"job_id": "job-1", "agent_id": "agent-1", **fields})
        known = like_jq({"job_id": "job-1", "type": "heartbeat", "callback_id": "cb-1"})
        site.callback(known)
        before = site.position

        answers = [site.unsigned(known, headers(known))]
        for fields in ({"status": "failed"}, {"type": "heartbeat"}):
            raw = like_jq({"job_id": "job-1", **fields})
            answers.append(site.unsigned(raw, headers(raw)))
        odd = like_jq({"job_id": "job-1", "status": "done"})
        problem_of(site.unsigned(odd, headers(odd)), 400, "unknown-status")

        details = {problem_of(answer, 403, "not-its-job")["detail"] for answer in answers}
        assert len(details) == 1, "the words are the same for a job that is not registered"
        assert site.position == before


def test_the_shared_secret_still_speaks_for_every_job(site_with: SiteWith) -> None:
    with site_with(named_senders=(DEPLOYERS,)) as site:
        assert site.report("unregistered", type="heartbeat")["version"] == 1

"""Who caused an event: what was proven is told apart from what a name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.job.events import StopRequested
from projections.reading.actor import Actor
from tests.support.people.shell import beside
from tests.support.web.site import ADMIN, MACHINE, Site

FORGED = "x-signature:116bfeff"
"""A token's name that looks like a signature."""


def actors(site: Site, job_id: str = "job-1") -> list[dict[str, str | None] | None]:
    """Return who caused the events of a job."""
    return [event["actor"] for event in site.read(f"/api/jobs/{job_id}/events")["events"]]


def test_a_token_that_is_called_like_a_signature_is_shown_as_a_token(site: Site) -> None:
    token = site.token("write", name=FORGED)
    by_token = {"kind": "token", "id": token.split("_")[1], "name": FORGED}

    site.register(token=token)
    site.order("fail", token=token)
    site.order("retry", token=token)
    site.report(status="running", **MACHINE)
    site.stop(token=token)
    site.order("stopped", token=token)
    site.register("job-2", "agent-2", token=token)
    site.order("cancel", "job-2", token=token)

    events = site.read("/api/events")["events"]
    who = {(event["job_id"], event["kind"]): event["actor"] for event in events}
    asked = ("JobQueued", "AttemptFailed", "AttemptStarted", "StopRequested", "MachineStopped")
    assert [who["job-1", kind] for kind in asked] == [by_token] * 5
    assert [who["job-2", kind] for kind in ("JobQueued", "AttemptCancelled")] == [by_token] * 2
    reported = who["job-1", "StatusReported"]
    assert (reported["kind"], reported["name"]) == ("signature", None)
    assert reported["id"].startswith("x-signature:")
    assert reported["id"] != FORGED


def test_the_admin_token_of_the_settings_is_no_token_called_admin(site: Site) -> None:
    called = site.token("admin", name="admin")
    site.register("job-1", "agent-1", "user-1", token=ADMIN)
    site.register("job-2", "agent-2", "user-2", token=called)

    assert actors(site, "job-1") == [{"kind": "token", "id": "admin", "name": "admin"}]
    assert actors(site, "job-2") == [{"kind": "token", "id": called.split("_")[1], "name": "admin"}]


def test_what_others_sent_keeps_its_fields(site: Site) -> None:
    """`token_id` tells of the event, so the payload stays what it was."""
    site.register(token=site.token("write", name="dispatcher"))

    [event] = site.read("/api/jobs/job-1/events")["events"]

    assert event["payload"]["requested_by"] == "dispatcher"
    assert event["signed_by"] is None
    assert "token_id" not in event["payload"]


def test_an_order_at_the_command_line_has_a_name_and_no_token(
    database_site: Site, tmp_path: Path
) -> None:
    database_site.register()
    database_site.project()
    shell = beside(database_site.deployment, tmp_path)

    shell("fail", "job-1", "--by", FORGED)

    assert actors(database_site)[-1] == {"kind": "name", "id": None, "name": FORGED}
    said = shell("audit", "job-1")
    assert f'"{FORGED}"' in said
    assert 'token admin "admin"' in said


@pytest.mark.parametrize(
    ("actor", "whole", "in_short"),
    [
        (Actor("signature", FORGED), FORGED, "116bfeff"),
        (Actor("token", "3f2a90c1b2d4", FORGED), f'token 3f2a90c1b2d4 "{FORGED}"', f'"{FORGED}"'),
        (Actor("name", name=FORGED), f'"{FORGED}"', f'"{FORGED}"'),
        (Actor("name", name='a" Milepost'), r'"a\" Milepost"', r'"a\" Milepost"'),
        (Actor("milepost"), "Milepost", "Milepost"),
    ],
)
def test_a_name_is_in_quotation_marks_and_nothing_else_is(
    actor: Actor, whole: str, in_short: str
) -> None:
    assert (str(actor), actor.in_short) == (whole, in_short)


def test_an_event_from_before_token_ids_has_a_name_only(site: Site) -> None:
    site.register()
    site.report(status="running", **MACHINE)
    site.deployment.milepost.stop("job-1", requested_by="ada")

    assert actors(site)[-1] == {"kind": "name", "id": None, "name": "ada"}
    fact = site.facts()[-1]
    assert isinstance(fact, StopRequested)
    assert fact.token_id is None

"""A machine that a failed job left, and that another job works or runs on since."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.web.site import ADMIN, MACHINE, Site, bearer

SHARED = {**MACHINE, "workflow_run_id": "2"}


def left(site: Site, *, user: str = "ada") -> None:
    """Let the job `a` of the user fail on the machine srv-1."""
    site.register("a", "agent-a", user)
    site.report("a", status="provisioning", step="vm_created", workflow_run_id="1", **MACHINE)
    site.report("a", status="failed", workflow_run_id="1")


def uses(site: Site, *, status: str = "running", user: str = "ada", job_id: str = "b") -> None:
    """Let the job `b` of the user say that srv-1 runs for it, or that it works on it."""
    site.register(job_id, f"agent-{job_id}", user)
    site.report(job_id, status=status, **SHARED)
    site.project()


def reasons(site: Site, job_id: str = "a") -> list[dict[str, Any]]:
    listed = site.read("/api/jobs?attention=true")["jobs"]
    return [reason for job in listed if job["id"] == job_id for reason in job["attention"]]


def asked(site: Site) -> tuple[bool, bool | None]:
    """Tell whether the job `a` asks for a removal, and whether that is held back."""
    shown = site.job("a")
    assert [job for job in site.read("/api/jobs")["jobs"] if job["id"] == "a"] == [shown]
    return shown["rollback_requested_at"] is not None, shown["rollback_held"]


@pytest.mark.parametrize("status", ["running", "provisioning"])
def test_a_machine_that_another_job_uses_is_not_asked_back(site: Site, status: str) -> None:
    left(site)
    site.project()
    assert asked(site) == (True, False)

    uses(site, status=status)

    assert asked(site) == (False, True)
    [reason] = reasons(site)
    assert reason["reason"] == "machine_shared"
    assert reason["text"] == (
        "Attempt 1 left the machine srv-1 behind 0 s ago, and the job b uses it now: do not "
        "remove it. Once no job uses it, remove it, then: milepost stopped a --server srv-1"
    )


def test_so_it_is_if_the_other_job_used_it_before_the_failure(site: Site) -> None:
    uses(site)
    left(site)
    site.project()

    assert asked(site) == (False, True)
    assert reasons(site, "b") == []


@pytest.mark.parametrize("end", ["failed", "stopped"])
def test_it_is_asked_back_again_once_the_other_job_does_not_use_it(site: Site, end: str) -> None:
    left(site)
    uses(site, status="provisioning" if end == "failed" else "running")
    assert asked(site) == (False, True)

    site.report("b", status=end, **SHARED)
    site.project()

    assert asked(site) == (True, False)
    assert [reason["reason"] for reason in reasons(site)] == ["machine_left"]


def test_a_confirmed_removal_is_held_back_no_more(site: Site) -> None:
    left(site)
    uses(site)

    site.ordered("stopped", "a", server_id="srv-1")
    site.project()

    assert asked(site) == (True, None)
    assert site.job("a")["stopped_at"] is not None
    assert reasons(site) == []


def test_a_job_of_another_user_is_not_named(site: Site) -> None:
    left(site)
    uses(site, user="bob")
    token = site.token("read", user_id="ada")

    [job] = site.read("/api/jobs?attention=true", token)["jobs"]

    assert job["rollback_held"]
    assert "behind 0 s ago, and a job of another user uses it now" in job["attention"][0]["text"]


def test_a_document_from_a_cache_is_replaced_when_the_other_job_reports(site: Site) -> None:
    """The other job's callbacks do not change the position of this one's document."""
    left(site)
    site.project()
    first = site.get("/api/jobs/a").headers["ETag"]
    assert site.get("/api/jobs/a", headers={"If-None-Match": first}).status_code == 304

    uses(site)

    held = site.get("/api/jobs/a", headers={"If-None-Match": first})
    assert (held.status_code, held.get_json()["rollback_held"]) == (200, True)
    again = {"If-None-Match": held.headers["ETag"]}
    assert site.get("/api/jobs/a", headers=again).status_code == 304
    assert first != held.headers["ETag"]


def test_an_order_may_be_bound_to_what_was_read_before_the_other_job_reported(site: Site) -> None:
    """An order changes the job itself, and that is as it was."""
    left(site)
    bound = {"If-Match": site.get("/api/jobs/a").headers["ETag"], **bearer(ADMIN)}
    uses(site)

    confirmed = site.client.post("/api/jobs/a/stopped", json={}, headers=bound)

    assert confirmed.status_code == 200


def test_the_past_does_not_know_of_other_jobs(site: Site) -> None:
    """What is said of the past may be cached for long, and streams say the same to everybody."""
    left(site)
    uses(site)

    newest = site.read(f"/api/jobs/a?version={site.job('a')['version']}")

    assert newest["rollback_requested_at"] is not None
    assert newest["rollback_held"] is None


def test_each_of_several_machines_is_looked_up(site: Site) -> None:
    site.register("a", "agent-a", "ada")
    for machine in ("srv-1", "srv-2"):
        site.report("a", status="provisioning", workflow_run_id="1", server_id=machine)
    site.report("a", status="failed", workflow_run_id="1")
    site.register("b", "agent-b", "ada")
    for machine in ("srv-1", "srv-3"):
        site.report("b", status="provisioning", workflow_run_id="2", server_id=machine)
    site.project()

    found = {reason["reason"]: reason["text"] for reason in reasons(site)}

    assert found.keys() == {"machine_left", "machine_shared"}
    assert "machine srv-2 behind" in found["machine_left"]
    assert "machine srv-1 behind" in found["machine_shared"]


@pytest.mark.parametrize("late", [{"step": "ansible_started"}, {"status": "failed"}])
def test_a_program_is_not_told_to_remove_a_machine_that_the_rollback_does_not_name(
    site: Site, late: dict[str, str]
) -> None:
    """The rollback names srv-1, and `server_id` is srv-2, on which the other job runs."""
    left(site)
    word = {"status": "provisioning", "workflow_run_id": "1", "server_id": "srv-2", **late}
    site.report("a", **word)
    site.register("b", "agent-b", "bob")
    site.report("b", status="running", **{**SHARED, "server_id": "srv-2"})
    site.project()

    assert site.job("a")["server_id"] == "srv-2"
    assert site.job("a")["rollback_held"] is None
    assert {reason["reason"] for reason in reasons(site)} == {"machine_left", "machine_shared"}


def test_a_machine_in_doubt_is_looked_up_too(site: Site) -> None:
    site.register("a", "agent-a", "ada")
    site.report("a", status="running", workflow_run_id="1", server_id="srv-0")
    site.report("a", status="failed", workflow_run_id="1", server_id="srv-1")
    uses(site)

    assert [reason["reason"] for reason in reasons(site)] == ["machine_shared"]


def test_a_machine_that_was_asked_to_stop_is_not_removed_under_another_job(site: Site) -> None:
    """Its workflow confirmed nothing, and another job found the machine by its name."""
    site.register("a", "agent-a", "ada")
    site.report("a", status="running", workflow_run_id="1", **MACHINE)
    site.ordered("stop", "a")
    uses(site)
    site.clock.advance(3601)

    [reason] = reasons(site)

    assert reason["reason"] == "stopping"
    assert reason["text"] == (
        "A stop of the machine srv-1 was requested 1 h 0 min ago, and the job b uses it now: do "
        "not remove it. Once no job uses it, remove it, then: milepost stopped a --server srv-1"
    )


# While the read model is behind


def test_a_callback_counts_before_it_is_projected(site: Site) -> None:
    left(site)
    site.project()
    site.register("b", "agent-b", "ada")
    assert site.job("a")["rollback_held"] is False

    site.report("b", status="running", **SHARED)

    assert site.job("a")["rollback_held"] is True
    assert [reason["reason"] for reason in reasons(site)] == ["machine_shared"]


def test_a_timeout_that_is_taken_back_counts_too(site: Site) -> None:
    """The heartbeat of the other job names no machine."""
    left(site)
    uses(site, status="provisioning")
    site.clock.advance(1800)
    site.watch()
    site.project()
    assert (site.job("b")["timed_out"], site.job("a")["rollback_held"]) == (True, False)

    site.report("b", type="heartbeat", workflow_run_id="2")

    assert site.job("b")["status"] == "provisioning"
    assert site.job("a")["rollback_held"] is True

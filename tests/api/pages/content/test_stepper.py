"""The stepper: how long each UI step took."""

from __future__ import annotations

import re

from tests.support.web.site import MACHINE, Site

STEP = re.compile(
    r'<li data-state="(\w+)".*?class="label">([^<]+)<'
    r'.*?class="took">(?:<time[^>]*>([^<]*)</time>)?',
    re.DOTALL,
)


def steps(site: Site, query: str = "") -> list[tuple[str, str, str]]:
    """Return the state, the label and the duration of each step on the page of job-1."""
    return STEP.findall(site.get(f"/jobs/job-1{query}").text)


def test_each_step_has_its_duration_and_the_active_one_goes_on(memory_site: Site) -> None:
    site = memory_site
    site.register()
    for seconds, fields in (
        (5, {}),
        (70, {"step": "vm_created"}),
        (30, {"step": "ansible_started"}),
    ):
        site.clock.advance(seconds)
        site.report(status="provisioning", **fields)
    site.clock.advance(10)

    assert steps(site) == [
        ("completed", "Queued", "5 s"),
        ("completed", "Creating Server", "1 min 10 s"),
        ("completed", "Installing Dependencies", "30 s"),
        ("active", "Configuring Agent", "10 s"),
        ("pending", "Running", ""),
    ]
    assert steps(site, "?version=3")[2:] == [
        ("active", "Installing Dependencies", "0 s"),
        ("pending", "Configuring Agent", ""),
        ("pending", "Running", ""),
    ]


def test_a_step_that_was_passed_over_has_no_duration(memory_site: Site) -> None:
    site = memory_site
    site.report(status="provisioning")
    site.clock.advance(60)
    site.report(status="provisioning", step="ansible_started")
    site.clock.advance(20)
    site.report(status="running", **MACHINE)

    assert [took for _, _, took in steps(site)] == ["", "1 min 0 s", "", "20 s", ""]


def test_the_step_that_failed_ends_with_the_attempt(memory_site: Site) -> None:
    site = memory_site
    site.report(status="provisioning", step="vm_created")
    site.clock.advance(90)
    site.report(status="failed", error="no quota")
    site.clock.advance(600)

    assert steps(site)[2] == ("error", "Installing Dependencies", "1 min 30 s")


def test_a_second_attempt_has_times_of_its_own(memory_site: Site) -> None:
    site = memory_site
    for run, seconds in (("1", 40), ("2", 7)):
        site.report(status="provisioning", workflow_run_id=run)
        site.clock.advance(seconds)
        site.report(status="provisioning", workflow_run_id=run, step="vm_created")
        site.report(status="failed", workflow_run_id=run, error="no quota")

    assert steps(site)[1] == ("completed", "Creating Server", "7 s")

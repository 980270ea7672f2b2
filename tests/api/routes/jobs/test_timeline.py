"""A job's timeline: attempts, steps, how long they took, and silences."""

from __future__ import annotations

from tests.support.web.site import ADMIN, MACHINE, Site, bearer, moment


def test_a_timeline_tells_steps_and_how_long_they_took(site: Site) -> None:
    site.register()
    site.clock.advance(10)
    site.report(status="provisioning", workflow_run_id=42)
    for step in ("vm_created", "coffee_made", "ansible_started"):
        site.clock.advance(60)
        site.report(status="provisioning", step=step)
    site.clock.advance(30.5)
    site.report(status="running", **MACHINE)

    timeline = site.read("/api/jobs/job-1/timeline")

    assert list(timeline) == [
        "job_id",
        "version",
        "position",
        "queued_at",
        "attempts_left_out",
        "attempts",
    ]
    assert timeline["attempts_left_out"] == 0
    assert timeline["queued_at"] == "2026-03-02T12:00:00+00:00"
    [attempt] = timeline["attempts"]
    assert attempt == {
        "number": 1,
        "status": "running",
        "outcome": "running",
        "present": True,
        "superseded": False,
        "workflow_run_id": "42",
        "run_attempt": None,
        "waiting_since": "2026-03-02T12:00:00+00:00",
        "started_at": "2026-03-02T12:00:10+00:00",
        "finished_at": "2026-03-02T12:03:40.500000+00:00",
        "duration_seconds": 210.5,
        "error": None,
        "failed_step": None,
        "timed_out": False,
        "cancelled": False,
        "server_id": MACHINE["server_id"],
        "rollback_requested_at": None,
        "clock_skew_seconds": None,
        "last_contact_at": "2026-03-02T12:03:40.500000+00:00",
        "steps": attempt["steps"],
        "gaps": [],
        "steps_left_out": False,
    }
    assert [
        (step["step"], step["ui_label"], step["duration_seconds"], step["late"])
        for step in attempt["steps"]
    ] == [
        ("vm_created", "Installing Dependencies", 60.0, False),
        ("coffee_made", None, 60.0, False),
        ("ansible_started", "Configuring Agent", 30.5, False),
    ]
    assert [step["ui_step"] for step in attempt["steps"]] == ["installing", None, "configuring"]
    starts = [moment(step["started_at"]) for step in attempt["steps"]]
    ends = [moment(step["finished_at"]) for step in attempt["steps"]]
    assert ends == [*starts[1:], moment(attempt["finished_at"])]


def test_an_attempt_waits_since_somebody_asked_for_it(site: Site) -> None:
    site.register()
    site.report(status="failed", error="boom")
    site.clock.advance(60)
    site.client.post("/api/jobs/job-1/retry", json={}, headers=bearer(ADMIN))
    site.clock.advance(60)
    site.report(status="provisioning", workflow_run_id=2)
    site.report(job_id="stray", status="provisioning")

    waits = [each["waiting_since"] for each in site.read("/api/jobs/job-1/timeline")["attempts"]]
    [stray] = site.read("/api/jobs/stray/timeline")["attempts"]

    assert waits == ["2026-03-02T12:00:00+00:00", "2026-03-02T12:01:00+00:00"]
    assert stray["waiting_since"] is None


def test_a_step_under_way_has_no_end_yet(site: Site) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["finished_at"], attempt["duration_seconds"]) == (None, None)
    [step] = attempt["steps"]
    assert (step["finished_at"], step["duration_seconds"]) == (None, None)


def test_a_timeline_before_the_first_callback_has_one_queued_attempt(site: Site) -> None:
    site.register()

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["number"], attempt["status"], attempt["steps"]) == (1, "queued", [])
    assert (attempt["started_at"], attempt["last_contact_at"]) == (None, None)


def test_a_retry_is_an_attempt_of_its_own_and_the_first_stays_readable(site: Site) -> None:
    site.register()
    site.report(status="provisioning", workflow_run_id=1)
    site.report(status="provisioning", step="vm_created")
    site.report(status="failed", error="exit 1", failed_step="configure_full")
    site.clock.advance(60)
    site.report(status="provisioning", workflow_run_id=2)
    site.report(status="provisioning", step="ansible_started")

    first, second = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (first["status"], first["error"], first["failed_step"]) == (
        "failed",
        "exit 1",
        "configure_full",
    )
    assert [step["step"] for step in first["steps"]] == ["vm_created"]
    assert (second["number"], second["status"], second["workflow_run_id"]) == (
        2,
        "provisioning",
        "2",
    )
    assert [step["step"] for step in second["steps"]] == ["ansible_started"]
    job = site.job()
    assert (job["attempt"], job["retry_count"], job["error"]) == (2, 1, None)


def test_a_silence_of_more_than_two_minutes_is_a_gap(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    site.clock.advance(120)
    since = site.clock()
    site.report(type="heartbeat")
    until = site.clock.advance(121)
    site.report(type="heartbeat")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    [gap] = attempt["gaps"]
    assert (moment(gap["since"]), moment(gap["until"])) == (since, until)
    assert gap["duration_seconds"] == 121.0
    assert moment(attempt["last_contact_at"]) == until


def test_a_step_that_comes_after_the_end_is_late(site: Site) -> None:
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="running", **MACHINE)
    site.clock.advance(5)
    site.report(status="provisioning", step="ansible_complete")

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert [(step["step"], step["late"]) for step in attempt["steps"]] == [
        ("vm_created", False),
        ("ansible_complete", True),
    ]
    assert attempt["steps"][1]["duration_seconds"] is None


def test_a_timeout_is_told_as_such_with_the_silence_before(site: Site) -> None:
    site.register()
    site.report(status="provisioning")
    site.clock.advance(1000)
    site.watch()

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert (attempt["status"], attempt["timed_out"]) == ("failed", True)
    assert attempt["error"] == "Timeout: No heartbeat for 1000s"
    assert [gap["duration_seconds"] for gap in attempt["gaps"]] == [1000.0]


def test_the_senders_clock_orders_steps_that_arrive_out_of_order(site: Site) -> None:
    site.register()
    site.clock.advance(1200)
    site.report(status="provisioning", occurred_at="2026-03-02T12:10:00Z")
    for minute, step in ((13, "ansible_started"), (11, "vm_created"), (12, "network_configured")):
        site.report(
            status="provisioning", step=step, occurred_at=f"2026-03-02T12:{minute}:00+00:00"
        )

    [attempt] = site.read("/api/jobs/job-1/timeline")["attempts"]

    assert [(step["step"], step["duration_seconds"]) for step in attempt["steps"]] == [
        ("vm_created", 60.0),
        ("network_configured", 60.0),
        ("ansible_started", None),
    ]
    assert site.job()["current_step"] == "ansible_started"

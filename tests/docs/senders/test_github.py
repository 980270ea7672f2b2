"""The workflow for GitHub Actions: it succeeds, fails, is cancelled and loses its runner."""

from __future__ import annotations

import subprocess

import pytest

from tests.clients.reporter.program import until
from tests.docs.senders.github import Meanwhile, Runner
from tests.docs.senders.workplace import Workplace

MACHINE = "--server-id srv-1 --server-ip 203.0.113.7"
FINISHED = ["provisioning", "vm_created", "ansible_started", "ansible_complete", "running"]


@pytest.fixture
def place(workplace: Workplace) -> Workplace:
    """A repository with the two programs that the workflow calls."""
    workplace.program("create-machine", f"./milepost-report metadata {MACHINE}")
    workplace.program("configure")
    return workplace


def test_it_succeeds(place: Workplace) -> None:
    runner = Runner(place)

    assert runner.job("provision") == "success"

    said = [each for each in place.said() if each != "provisioning"]
    assert said == FINISHED[1:]
    shown = place.shown
    assert (shown["status"], shown["workflow_run_id"], shown["run_attempt"]) == (
        "running",
        "4711",
        1,
    )
    assert shown["server_id"] == "srv-1"
    key = place.registered["callback_key"]
    assert runner.log.replace(f"::add-mask::{key}", "").strip() == ""


def test_it_fails_and_is_run_again(place: Workplace) -> None:
    place.program("configure", "echo 'no route to host' >&2; exit 4")
    assert Runner(place).job("provision") == "failure"
    shown = place.shown
    assert (shown["status"], shown["outcome"]) == ("failed", "failed")
    assert shown["error"] == "Exit status 4\nno route to host"
    assert shown["failed_at_step"] == "ansible_started"

    place.program("configure")
    assert Runner(place, attempt=2).job("provision") == "success"

    assert (place.shown["status"], place.shown["attempt"]) == ("running", 2)


def test_it_is_cancelled_in_the_middle(place: Workplace) -> None:
    place.program("configure", f"touch {place.folder}/begun; exec sleep 300")

    result = Runner(place).job("provision", cancel="Configure it", when=has_begun(place))

    assert result == "cancelled"
    assert (place.shown["status"], place.shown["outcome"]) == ("failed", "cancelled")
    assert place.shown["error"] == "Ended by SIGINT"


def test_another_runner_reports_that_the_first_one_was_lost(place: Workplace) -> None:
    place.program("configure", f"touch {place.folder}/begun; exec sleep 300")
    runner = Runner(place)
    assert runner.job("provision", lose="Configure it", when=has_begun(place)) == "failure"
    assert place.shown["status"] == "provisioning"

    assert runner.job("lost") == "success"

    assert (place.shown["status"], place.shown["attempt"]) == ("failed", 1)


def test_a_server_that_is_away_breaks_no_step(place: Workplace) -> None:
    place.registered["callback_url"] = "http://127.0.0.1:1/api/callbacks/job-1"
    del place.env["MILEPOST_WAIT"]
    runner = Runner(place)

    assert runner.job("provision") == "success"

    assert runner.log.count("it waits on disk") >= 1
    assert place.said() == []


def has_begun(place: Workplace) -> Meanwhile:
    """Return a wait until the last program has begun."""

    def wait(process: subprocess.Popen[str]) -> None:
        until((place.folder / "begun").exists, "the step has not begun")
        assert process.poll() is None

    return wait

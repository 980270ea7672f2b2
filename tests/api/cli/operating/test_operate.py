"""milepost fail, cancel, retry, stop, stopped: what they print, and what they record."""

from __future__ import annotations

import json

import pytest

from domain.job.commands.registration import QueueJob
from domain.job.events import AttemptFailed, Fact, StopRequested
from tests.support.people.shell import Shell
from tests.support.web.site import MACHINE, Site, problem_of

BY_OPS = ("--by", "ops")


@pytest.fixture
def stuck(database_site: Site) -> Site:
    """A site with a job whose workflow is never heard of again."""
    database_site.register()
    database_site.report(status="provisioning", workflow_run_id="4711")
    return database_site


def last(site: Site) -> Fact:
    return site.facts()[-1]


def test_a_failed_job_says_what_else_there_is_to_do(shell: Shell, stuck: Site) -> None:
    stuck.report(status="provisioning", step="vm_created", server_id="srv-1")

    said = shell("fail", "job-1", "--reason", "the runner was lost", *BY_OPS)

    assert said.splitlines() == [
        "Job job-1: it is ended as failed.",
        "Job job-1: its machine srv-1 has to be removed; confirm that with: milepost stopped job-1 "
        "--server srv-1",
        "Job job-1: the workflow's run 4711 may go on: cancel it where it runs.",
    ]
    fact = stuck.facts()[-2]
    assert isinstance(fact, AttemptFailed)
    assert (fact.requested_by, fact.reason) == ("ops", "the runner was lost")


def test_a_job_whose_workflow_never_came_is_ended(shell: Shell, database_site: Site) -> None:
    database_site.register()

    assert shell("fail", "job-1") == "Job job-1: it is ended as failed.\n"


def test_the_account_is_recorded_if_nobody_is_named(shell: Shell, stuck: Site) -> None:
    shell("fail", "job-1")

    fact = last(stuck)
    assert isinstance(fact, AttemptFailed)
    assert (fact.requested_by or "").startswith("cli:")


def test_a_command_again_says_that_nothing_was_recorded(shell: Shell, stuck: Site) -> None:
    shell("cancel", "job-1")
    before = stuck.position

    assert shell("cancel", "job-1") == (
        "Job job-1: it is cancelled already. Nothing was recorded.\n"
    )
    assert stuck.position == before


def test_a_job_is_cancelled_retried_and_ends_stopped(shell: Shell, stuck: Site) -> None:
    shell("cancel", "job-1")
    assert shell("retry", "job-1", "--reason", "again").splitlines() == [
        "Job job-1: attempt 2 waits for its run. Milepost starts none: dispatch the workflow."
    ]
    stuck.report(status="running", workflow_run_id="4712", **MACHINE)

    asked = shell("stop", "job-1", "--reason", "too dear", *BY_OPS)
    assert asked == "Job job-1: its instance is asked to stop.\n"
    fact = last(stuck)
    assert isinstance(fact, StopRequested)
    assert (fact.requested_by, fact.reason) == ("ops", "too dear")
    assert "too dear" in shell("audit", "job-1")
    assert shell("stop", "job-1") == (
        "Job job-1: it is stopping or stopped already. Nothing was recorded.\n"
    )
    assert shell("stopped", "job-1") == (
        "Job job-1: its machine is recorded as gone. The job is stopped.\n"
    )
    assert shell("stopped", "job-1").endswith("Nothing was recorded.\n")
    assert "  machine gone since " in shell("jobs", "job-1")


def test_a_program_gets_the_job(shell: Shell, stuck: Site) -> None:
    job = shell.json("cancel", "job-1", "--reason", "not wanted")

    assert (job["status"], job["outcome"], job["changed"]) == ("failed", "cancelled", True)
    assert {**stuck.job(), "changed": True} == job
    assert shell.json("cancel", "job-1")["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["retry", "job-1"],
            "The job is in progress (provisioning since 2026-03-02 12:00:00 UTC).",
        ),
        (["stopped", "job-1", "--server", "srv-9"], "has the machine 'srv-9'"),
        (["fail", "job-2"], "There is no job 'job-2'."),
        (
            ["stop", "job-1"],
            "Job 'job-1' has no running instance to stop: it is provisioning. Possible now: ",
        ),
    ],
)
def test_a_refusal_is_one_line(shell: Shell, stuck: Site, arguments: list[str], words: str) -> None:
    before = stuck.position

    assert words in shell.fails(*arguments)
    assert stuck.position == before


def two_machines(site: Site) -> None:
    """Give the job a machine that a failed attempt left, and one that runs."""
    site.report(status="failed", workflow_run_id="4711", server_id="srv-1")
    running = {**MACHINE, "server_id": "srv 2"}
    site.report(status="running", workflow_run_id="4712", **running)


def test_of_two_machines_the_option_that_names_one_is_said(shell: Shell, stuck: Site) -> None:
    two_machines(stuck)

    said = shell.fails("stopped", "job-1")

    assert "Name the one that is gone." in said
    assert "server_id" not in said
    assert "'srv-1' (attempt 1, failed), 'srv 2' (attempt 2, running)" in said
    assert shell("stopped", "job-1", "--server", "srv-1") == (
        "Job job-1: its machine srv-1 is recorded as gone. The job is running.\n"
    )


def test_of_an_unknown_machine_the_known_ones_are_said(shell: Shell, stuck: Site) -> None:
    unknown = ["stopped", "job-1", "--server", "srv-9"]
    assert "Its machines are" not in shell.fails(*unknown)
    two_machines(stuck)

    assert "Its machines are 'srv-1', 'srv 2'." in shell.fails(*unknown)


def test_who_ends_a_job_with_two_machines_gets_a_command_for_each(
    shell: Shell, stuck: Site
) -> None:
    stuck.report(status="failed", workflow_run_id="4711", server_id="srv-1")
    stuck.report(status="provisioning", workflow_run_id="4712", server_id="srv 2")

    said = shell("cancel", "job-1")

    assert "confirm that with: milepost stopped job-1 --server srv-1\n" in said
    assert "confirm that with: milepost stopped job-1 --server 'srv 2'\n" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--reason", "x" * 2001],
        ["--reason", "bell \a"],
        ["--by", "x" * 201],
    ],
)
def test_what_cannot_be_recorded_is_wrong_usage(
    shell: Shell, stuck: Site, arguments: list[str]
) -> None:
    assert shell.run("fail", "job-1", *arguments).exit_code == 2


def test_who_ends_a_job_in_the_wrong_folder_makes_no_database(empty: Shell) -> None:
    assert "there is no database at" in empty.fails("fail", "job-1")


# A workflow that this command does not know


@pytest.fixture
def foreign(database_site: Site) -> Site:
    """A site with a failed job whose definition only another server has."""
    queued = QueueJob(job_id="job-1", agent_id="agent-1", workflow="once@1")
    database_site.services.milepost.queue(queued)
    database_site.report(status="failed")
    return database_site


UNKNOWN = "Workflow once@1 is not known here; set MILEPOST_WORKFLOWS to the server's folder"


def test_a_retry_by_rules_that_are_not_known_here_is_refused(shell: Shell, foreign: Site) -> None:
    before = foreign.position

    assert shell.fails("retry", "job-1") == f"Error: {UNKNOWN}.\n"

    refused = problem_of(foreign.order("retry"), 409, "not-possible")
    assert refused["detail"] == f"{UNKNOWN}."
    assert refused["possible"] == []
    assert foreign.position == before


def test_a_job_of_a_workflow_that_is_not_known_here_is_shown_with_a_warning(
    shell: Shell, foreign: Site
) -> None:
    for arguments in (["jobs", "job-1"], ["jobs", "job-1", "--json"]):
        result = shell.run(*arguments)
        assert (result.exit_code, result.stderr) == (0, f"{UNKNOWN}.\n")
    foreign.register("job-2", "agent-2")
    foreign.report("job-3", status="failed")
    for known in ("job-2", "job-3"):
        assert shell.run("jobs", known).stderr == ""


# How a cancelled job is shown


def test_a_cancelled_job_is_shown_apart_from_a_failed_one(shell: Shell, stuck: Site) -> None:
    shell("cancel", "job-1", "--reason", "not wanted")
    stuck.project()

    assert "cancelled" in shell("jobs")
    assert shell("jobs", "job-1").splitlines()[0].startswith("job-1   cancelled ")
    trail = shell("audit", "job-1", "--kind", "AttemptCancelled")
    row = next(line for line in trail.splitlines() if "AttemptCancelled" in line)
    assert " cancelled " in row
    assert "State now:  cancelled " in trail
    event = json.loads(shell("audit", "job-1", "--kind", "AttemptCancelled", "--json"))
    assert event["state"]["outcome"] == "cancelled"


# The runs of a job


def attempt_lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.startswith("  attempt ")]


def test_each_attempt_names_its_run_and_the_shown_one_is_marked(shell: Shell, stuck: Site) -> None:
    stuck.report(status="provisioning", workflow_run_id="4712", run_attempt=2)
    assert attempt_lines(shell("jobs", "job-1")) == [
        "attempt 1: provisioning (run 4711, superseded by another run)",
        "attempt 2: provisioning (run 4712, run_attempt 2, shown)",
    ]

    stuck.report(status="failed", error="no quota", failed_step="vm", workflow_run_id="4711")
    stuck.report(status="running", workflow_run_id="4712", run_attempt=2, **MACHINE)

    assert attempt_lines(shell("jobs", "job-1")) == [
        "attempt 1: failed (run 4711): vm: no quota",
        "attempt 2: running (run 4712, run_attempt 2, shown)",
    ]


def test_one_attempt_without_a_run_has_nothing_beside_its_status(
    shell: Shell, database_site: Site
) -> None:
    database_site.report(status="failed", failed_step="vm", error="no quota")

    assert attempt_lines(shell("jobs", "job-1")) == ["attempt 1: failed: vm"]


def test_a_running_instance_runs_since_and_only_an_end_is_an_end(shell: Shell, stuck: Site) -> None:
    stuck.report(status="running", workflow_run_id="4711", **MACHINE)
    said = shell("jobs", "job-1")
    assert "  running since      2026-03-02 12:00:00 UTC" in said
    assert "  ended " not in said

    shell("stopped", "job-1")
    said = shell("jobs", "job-1")
    assert "  began to run       2026-03-02 12:00:00 UTC" in said
    assert "  ended " not in said

    stuck.report("job-2", status="failed")
    assert "  ended              2026-03-02 12:00:00 UTC" in shell("jobs", "job-2")


def test_a_list_of_a_word_that_is_no_status_names_all_that_are(shell: Shell) -> None:
    refused = shell.run("jobs", "--status", "done")

    assert refused.exit_code == 2
    assert "'done' is not one of pending, " in refused.stderr


# Long errors

LONG = "\n".join(f"TASK [step {number}] failed: " + "x" * 60 for number in range(120))


def test_a_long_error_is_one_row_of_the_list(shell: Shell, stuck: Site) -> None:
    stuck.report(status="failed", error=LONG)
    stuck.project()

    rows = [line for line in shell("jobs").splitlines() if line.strip()]

    assert len(LONG) > 10_000
    assert len(rows) == 3  # the headings, their line, and the job
    assert "TASK [step 0] failed: xxx" in rows[2]
    assert "…" in rows[2]


def test_one_job_is_shown_with_the_whole_error_and_its_lines(shell: Shell, stuck: Site) -> None:
    stuck.report(status="failed", error=LONG, failed_step="configure")
    shell("retry", "job-1")
    stuck.report(status="failed", error="quota\nexceeded", workflow_run_id="4712")

    said = shell("jobs", "job-1")

    lines = [line.strip() for line in said.splitlines()]
    for part in LONG.splitlines():
        assert any(line.endswith(part) for line in lines), part
    assert said.count("quota") == 1


def test_a_line_of_a_replay_is_one_line(shell: Shell, stuck: Site) -> None:
    stuck.report(status="failed", error="one\ntwo")

    assert "one two" in shell("replay", "job-1")


# What needs somebody now


def test_what_needs_somebody_is_listed_and_says_why(shell: Shell, database_site: Site) -> None:
    """The command's clock is the real one, for which the site's jobs are silent since long ago."""
    database_site.register("late", "agent-1", "user-1")
    database_site.report("late", status="provisioning")
    database_site.register("left", "agent-2", "user-2")
    database_site.report("left", status="failed", error="boom", server_id="srv-1")
    database_site.register("well", "agent-3", "user-3")
    database_site.report("well", status="running", **{**MACHINE, "server_id": "srv-2"})
    database_site.project()

    said = shell("jobs", "--attention")

    assert said.index("left") < said.index("late")
    assert "left the machine srv-1 behind" in said
    assert "No heartbeat for" in said
    assert "well" not in said
    documents = shell.lines("jobs", "--attention")
    assert [(job["id"], job["attention"][0]["reason"]) for job in documents] == [
        ("left", "machine_left"),
        ("late", "unresponsive"),
    ]
    assert "needs somebody" in shell("jobs", "left")
    assert "needs somebody" not in shell("jobs", "well")


def test_nobody_is_told_to_remove_a_machine_that_another_job_uses(
    shell: Shell, stuck: Site
) -> None:
    stuck.report(status="provisioning", step="vm_created", server_id="srv-1")
    stuck.register("well", "agent-2", "user-2")
    stuck.report("well", status="running", **MACHINE)

    said = shell("fail", "job-1")
    stuck.project()

    assert "Job job-1: another job uses its machine srv-1: do not remove it." in said
    assert "a job of another user uses it now: do not remove it." in shell("jobs", "job-1")
    [document] = shell.lines("jobs", "--attention")
    assert document["attention"][0]["reason"] == "machine_shared"
    assert (document["rollback_held"], document["rollback_requested_at"]) == (True, None)
    assert shell.lines("jobs", "job-1")[0]["rollback_held"]


def test_it_is_said_if_no_job_needs_anybody(shell: Shell, database_site: Site) -> None:
    assert shell("jobs", "--attention") == "No job needs you now.\n"
    assert shell.lines("jobs", "--attention") == []

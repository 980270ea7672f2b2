"""milepost rebuild: what it prints, where, and with which exit status."""

from __future__ import annotations

import pytest

from domain.job.callback import Callback
from projections.read_model.contract import SHAPE
from tests.support.people.shell import ESCAPE, Shell
from tests.support.projectors.rebuilding import NEWER
from tests.support.stores.tampering import Database
from tests.support.web.site import Site


def lived(site: Site) -> None:
    site.register()
    site.register("job-2", "agent-2", "user-2")
    site.report(status="provisioning", step="vm_created")
    site.report("job-2", status="failed", error="boom")
    site.project()


def edited(site: Site, job_id: str = "job-1", status: str = "running") -> None:
    """Let a row say something else than the events."""
    statement = "UPDATE milepost_instances SET status = ? WHERE job_id = ?"
    assert Database(site.deployment).run(statement, [status, job_id]) == 1


def test_a_rebuild_says_what_it_did(shell: Shell, database_site: Site) -> None:
    lived(database_site)

    said = shell("rebuild")

    events = database_site.position
    assert said.startswith(f"Folded {events} events in ")
    assert f"at position {events}. The rows served before did not differ.\n" in said
    assert database_site.job()["current_step"] == "vm_created"


def test_a_rebuild_for_a_program(shell: Shell, database_site: Site) -> None:
    lived(database_site)
    edited(database_site)

    difference, report = shell.lines("rebuild")

    assert difference == {
        "job_id": "job-1",
        "view": "instances",
        "there": {"status": "running"},
        "expected": {"status": "provisioning"},
    }
    assert report.pop("seconds") >= 0
    position = database_site.position
    assert report == {
        "began_at": 0,
        "position": position,
        "events": position,
        "differences": 1,
    }


def test_a_dry_run_tells_differences_and_changes_nothing(shell: Shell, database_site: Site) -> None:
    lived(database_site)
    assert "Compared 2 jobs with their events: no differences." in shell("rebuild", "--dry-run")
    assert shell.lines("rebuild", "--dry-run") == []
    edited(database_site)

    for _ in range(2):
        result = shell.run("rebuild", "--dry-run")
        assert result.exit_code == 1
        assert "1 difference." in result.stdout
        assert "provisioning" in result.stdout
    told = shell.run("rebuild", "--dry-run", "--json")
    assert told.exit_code == 1
    assert '"there":{"status":"running"}' in told.stdout

    assert "1 of the rows served before differed" in shell("rebuild")
    assert shell.lines("rebuild", "--dry-run") == []


def test_one_projection_can_be_looked_at(shell: Shell, database_site: Site) -> None:
    lived(database_site)
    edited(database_site)

    assert shell.lines("rebuild", "timelines", "--dry-run") == []
    assert shell.run("rebuild", "instances", "--dry-run").exit_code == 1
    assert shell.json("rebuild", "timelines")["differences"] == 0
    assert shell.lines("rebuild", "--dry-run") == []


def test_many_differences_are_cut_short_for_a_person(shell: Shell, database_site: Site) -> None:
    for number in range(25):
        database_site.report(f"job-{number}", status="provisioning")
    database_site.project()
    for number in range(25):
        edited(database_site, f"job-{number}")

    result = shell.run("rebuild", "--dry-run")

    assert result.stdout.count("instances") == 20
    assert "… and 5 more (--json prints all)" in result.stdout


def test_what_a_callback_said_does_not_steer_the_terminal(
    shell: Shell, database_site: Site
) -> None:
    job_id = f"{ESCAPE}[31mred"
    database_site.deployment.milepost.record(Callback(job_id=job_id, type="heartbeat"))
    database_site.project()
    edited(database_site, job_id, f"{ESCAPE}[2J")

    assert ESCAPE + "[31m" not in shell.run("rebuild", "--dry-run").stdout
    assert ESCAPE + "[2J" not in shell.run("rebuild").stdout


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["--dry-run", "--restart"], ["--discard", "--dry-run"], ["instances", "more"]],
)
def test_wrong_usage_is_told_apart(empty: Shell, arguments: list[str]) -> None:
    result = empty.run("rebuild", *arguments)

    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_without_a_database_there_is_nothing_to_rebuild(empty: Shell) -> None:
    assert empty.fails("rebuild").startswith("Error: there is no database at ")


def test_an_empty_database_is_rebuilt_to_nothing(shell: Shell, database_site: Site) -> None:
    assert "Compared 0 jobs with their events: no differences." in shell("rebuild", "--dry-run")
    assert shell("rebuild").startswith("Folded 0 events in ")


def test_a_second_rebuild_is_refused_in_one_line(shell: Shell, database_site: Site) -> None:
    lived(database_site)

    with database_site.deployment.shadow.lock() as taken:
        assert taken
        for options in ([], ["--restart"], ["--discard"]):
            said = shell.fails("rebuild", *options)
            assert said == "Error: Another rebuild of this database is under way.\n"

    assert shell("rebuild")


def test_what_a_swap_would_break_is_one_line_and_nothing_changes(
    shell: Shell, database_site: Site
) -> None:
    """A view that looks at a table, where that forbids dropping it, or a trigger on it."""
    lived(database_site)
    made, drop = (
        ("TRIGGER mine DELETE ON milepost_timelines BEGIN SELECT 1; END", "TRIGGER mine")
        if "SQLITE_DBNAME" in database_site.deployment.env
        else ("VIEW mine AS SELECT job_id FROM milepost_timelines", "VIEW mine")
    )
    Database(database_site.deployment).run(f"CREATE {made}")

    assert shell.fails("rebuild") == (
        f"Error: The {drop.lower()} depends on the table milepost_timelines, which a rebuild "
        "replaces: drop it before the rebuild, and make it again after.\n"
    )

    assert database_site.job()["current_step"] == "vm_created"
    Database(database_site.deployment).run(f"DROP {drop}")
    assert shell.json("rebuild")["began_at"] == 0


def test_status_and_readiness_tell_of_a_rebuild(shell: Shell, database_site: Site) -> None:
    lived(database_site)
    database_site.deployment.shadow.begin()

    assert "Rebuild      at position 0" in shell("status")
    assert shell.json("status")["rebuild_position"] == 0
    assert database_site.read("/readyz")["rebuild_position"] == 0

    assert shell("rebuild", "--discard") == "Dropped the tables.\n"
    assert shell("rebuild", "--discard") == "No interrupted rebuild has left tables.\n"
    assert shell.json("rebuild", "--discard") == {"discarded": False}
    assert "Rebuild " not in shell("status")
    assert database_site.read("/readyz")["rebuild_position"] is None


def test_rows_of_another_release_are_told_and_not_compared(
    shell: Shell, database_site: Site
) -> None:
    lived(database_site)
    newer = database_site.deployment.again(NEWER)
    newer.rebuild.run()
    newer.close()

    assert f"with shape {NEWER}; this release writes shape {SHAPE}" in shell("status")
    assert "the shape of another release" in shell.fails("rebuild", "--dry-run")
    assert "The rows served before had another shape." in shell("rebuild")
    assert "of shape" not in shell("status")

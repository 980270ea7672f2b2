"""`milepost deadlines`: an operator ends the wait of timeouts."""

from __future__ import annotations

from tests.support.people.shell import Shell
from tests.support.web.site import Site


def all_silent(site: Site) -> None:
    """Let six jobs fall silent at once, and the watch see it."""
    for number in range(6):
        site.report(f"job-{number}", type="heartbeat")
    site.clock.advance(901)
    site.watch()


def test_an_operator_sees_that_timeouts_wait_and_lets_them_go_on(
    shell: Shell, database_site: Site
) -> None:
    all_silent(database_site)
    assert "Deadlines    6 of 6 jobs in progress fell silent at once" in shell("status")
    assert shell.json("status")["deadlines"].startswith("6 of 6 jobs")

    said = shell("deadlines", "resume")
    database_site.watch()

    assert said == "Timeouts go on: 6 of 6 jobs had fallen silent at once.\n"
    assert {database_site.job(f"job-{number}")["status"] for number in range(6)} == {"failed"}
    assert shell.fails("deadlines", "resume") == "Error: no timeouts wait for you\n"


def test_without_a_hold_there_is_nothing_to_resume(empty: Shell) -> None:
    empty("init-db")

    assert empty.fails("deadlines", "resume") == "Error: no timeouts wait for you\n"


def test_resuming_makes_no_database(empty: Shell) -> None:
    assert empty.fails("deadlines", "resume").startswith("Error: there is no database at ")

"""Health: whether the process is alive, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg
from eventsourcing.persistence import StoredEvent

from tests.support.projectors.watching import watch_over
from tests.support.stores.deployment import kind_of, url_of
from tests.support.stores.tampering import Database
from tests.support.web.site import Site, body_of, problem_of


def test_a_process_is_alive_without_asking_anything(memory_site: Site) -> None:
    answer = memory_site.client.get("/livez")

    assert (answer.status_code, body_of(answer)) == (200, {"status": "alive"})


def test_a_ready_server_says_how_far_it_is(site: Site) -> None:
    site.register()
    site.project()
    site.report(status="provisioning")

    answer = site.client.get("/readyz")

    assert answer.status_code == 200
    assert body_of(answer) == {
        "status": "ready",
        "database": site.services.settings.database,
        "log_position": site.position,
        "read_model_position": 1,
        "lag_events": 1,
        "rebuild_position": None,
        "set_aside": 0,
        "lost_ends": 0,
        "tree_lag_events": 2,
        "tree": "growing",
        "deadlines": "watched",
    }


def test_a_server_says_why_it_gives_no_job_up(site: Site) -> None:
    watch_over(site.deployment).step()

    assert body_of(site.client.get("/readyz"))["deadlines"] == (
        "patient until 12:02:30 UTC: this is the first look"
    )


def test_a_server_says_that_most_jobs_fell_silent(site: Site) -> None:
    for number in range(6):
        site.report(f"job-{number}", type="heartbeat")
    site.clock.advance(901)

    site.watch()

    ready = body_of(site.client.get("/readyz"))
    assert ready["deadlines"].startswith("6 of 6 jobs in progress fell silent at once")
    metrics = site.get("/metrics").text
    assert "milepost_deadlines_held_jobs 6.0" in metrics
    assert "milepost_deadlines_patient 0.0" in metrics


def test_tables_that_were_emptied_under_the_server_are_no_bug(database_site: Site) -> None:
    database_site.report(status="provisioning")
    database_site.project()
    Database(database_site.deployment).run("DELETE FROM milepost_read_model")

    ready = database_site.client.get("/readyz")

    detail = problem_of(ready, 503, "read-model-gone")["detail"]
    assert "milepost init-db makes it again" in detail
    assert database_site.job()["status"] == "provisioning", "a read of one job folds the log"


def test_an_event_that_cannot_be_folded_is_shown_and_stops_nothing(site: Site) -> None:
    site.register()
    site.deployment.milepost.recorder.insert_events(
        [StoredEvent("job-1", 2, "FromTheFuture", b"{}")]
    )
    site.clock.advance(1)
    site.report(status="provisioning", step="vm_created")
    site.project()

    ready = body_of(site.client.get("/readyz"))

    assert (ready["status"], ready["lag_events"]) == ("ready", 0)
    assert ready["set_aside"] == 1, "how many, and nothing of what they say"
    job = site.job()
    assert (job["current_step"], job["version"]) == ("vm_created", 3)


def test_a_server_whose_commits_are_refused_is_not_ready_and_says_why(database_site: Site) -> None:
    """A full disk lets every read succeed."""
    site = database_site
    site.report(status="provisioning")
    mend = fill_the_disk(site)

    # Of more bytes than the last pages of a file have room for.
    large = {"job_id": "job-1", "status": "provisioning", "note": "x" * 20_000}
    refused = site.callback(large)
    answer = site.client.get("/readyz")

    assert refused.status_code == 503
    assert answer.status_code == 503
    problem = body_of(answer)
    assert problem["type"] == "urn:milepost:problem:not-writing"
    assert problem["reason"] == "disk_full"
    assert 0 <= problem["seconds"] < 30
    assert problem["detail"].startswith("Callbacks cannot be stored: the database's disk was full")
    mend()
    site.report(status="provisioning")
    assert site.client.get("/readyz").status_code == 200


def fill_the_disk(site: Site) -> Callable[[], None]:
    """Let every further append fail as on a full disk; return what mends it."""
    if kind_of(site.deployment) == "sqlite":
        return _limit_pages(site)
    return _refuse_rows(site)


def _limit_pages(site: Site) -> Callable[[], None]:
    datastore = site.deployment.milepost.recorder.datastore  # type: ignore[attr-defined]

    def limit(pages: int) -> None:
        with datastore.writing() as cursor:
            cursor.execute(f"PRAGMA max_page_count = {pages}")

    limit(1)  # SQLite raises it to the number of pages that the file has
    return partial(limit, 1_000_000)


def _refuse_rows(site: Site) -> Callable[[], None]:
    with psycopg.connect(url_of(site.deployment), autocommit=True) as other:
        other.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$"
        )
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON milepost_events EXECUTE FUNCTION refuse()"
        )

    def mend() -> None:
        with psycopg.connect(url_of(site.deployment), autocommit=True) as other:
            other.execute("DROP TRIGGER refuse ON milepost_events")

    return mend

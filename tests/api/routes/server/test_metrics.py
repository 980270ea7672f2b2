"""Metrics: counters of callbacks, gauges of the database, nothing labelled by job."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from projections.tree.grower import Grower
from tests.support.stores.tampering import Database
from tests.support.web.site import MACHINE, Site

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(site: Site) -> Samples:
    """Return what Prometheus reads, by name and labels."""
    answer = site.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0)


def test_the_answer_is_what_prometheus_asks_for(memory_site: Site) -> None:
    answer = memory_site.get("/metrics")

    assert answer.content_type.startswith("text/plain; version=")


def test_gauges_tell_how_far_the_read_model_is_behind(site: Site) -> None:
    site.register()
    site.project()
    site.report(status="provisioning")
    behind = samples(site)
    site.project()
    folded = samples(site)

    assert value(behind, "milepost_log_position") == site.position
    assert value(behind, "milepost_read_model_lag_events") == 1
    assert value(folded, "milepost_read_model_lag_events") == 0
    assert value(folded, "milepost_read_model_position") == site.position
    assert value(folded, "milepost_events_set_aside") == 0


def test_gauges_tell_how_far_the_tree_is(database_site: Site) -> None:
    database_site.register()
    Grower(database_site.deployment.tree).catch_up()
    database_site.report(status="provisioning")
    behind = samples(database_site)
    Grower(database_site.deployment.tree).catch_up()
    grown = samples(database_site)
    Database(database_site.deployment).run(
        "DELETE FROM milepost_events WHERE originator_version = 2"
    )
    lost = samples(database_site)

    names = ("milepost_tree_size", "milepost_tree_lag_events", "milepost_tree_stopped")
    told = [[value(found, name) for name in names] for found in (behind, grown, lost)]
    assert told == [[1, 1, 0], [2, 0, 0], [2, 0, 1]]


def test_jobs_are_counted_by_status(site: Site) -> None:
    for number, status in enumerate(("provisioning", "failed", "failed")):
        site.register(f"job-{number}", f"agent-{number}", f"user-{number}")
        site.report(f"job-{number}", status=status)
    site.register("job-9", "agent-9", "user-9")
    site.report("job-9", status="running", **MACHINE)
    site.stop("agent-9")
    site.project()

    found = samples(site)

    counts = {
        status: value(found, "milepost_jobs", status=status)
        for status in ("pending", "provisioning", "running", "stopping", "failed")
    }
    assert counts == {"pending": 0, "provisioning": 1, "running": 0, "stopping": 1, "failed": 2}


def test_callbacks_are_counted_by_what_became_of_them(memory_site: Site) -> None:
    """The counters are the process's, so only their growth is this test's."""
    before = samples(memory_site)
    memory_site.report(status="provisioning", callback_id="cb-1")
    memory_site.report(status="provisioning", callback_id="cb-1")
    memory_site.report(type="heartbeat")
    memory_site.unsigned(b"{}")
    after = samples(memory_site)

    def grown(outcome: str) -> float:
        name = "milepost_callbacks_total"
        return value(after, name, outcome=outcome) - value(before, name, outcome=outcome)

    assert (grown("recorded"), grown("duplicate")) == (2, 1)


def test_no_metric_is_labelled_by_anything_that_grows(memory_site: Site) -> None:
    memory_site.register("a-job-of-its-own", "an-agent-of-its-own", "a-user-of-its-own")
    memory_site.report("a-job-of-its-own", status="provisioning", step="a-step-of-its-own")
    memory_site.project()

    answer = memory_site.get("/metrics")

    assert "of-its-own" not in answer.text
    assert {label for _, labels in samples(memory_site) for label, _ in labels} <= {
        "command",
        "outcome",
        "reason",
        "status",
    }

"""Events that this release cannot read: the page shows that they are there."""

from __future__ import annotations

from eventsourcing.persistence import StoredEvent

from domain.log.store import Append
from tests.support.web.site import Site


def test_an_unreadable_event_is_listed_and_can_be_looked_at(database_site: Site) -> None:
    site = database_site
    site.report(status="provisioning")
    state = b'{"colour":"<red>","recorded_at":"2026-03-02T12:01:00Z"}'
    stored = StoredEvent("job-1", 2, "JobPainted", state)
    site.deployment.milepost.store.transact({}, [], lambda _: Append([stored]))
    site.report(status="running")

    for query in ("", "?version=2", "?version=3"):
        text = site.get(f"/jobs/job-1{query}").text
        assert "Unreadable event" in text
        assert 'id="event-2"' in text
        assert "&lt;red&gt;" in text

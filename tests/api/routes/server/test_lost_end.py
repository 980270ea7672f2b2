"""A lost end of the log is told to whoever asks how the server is, until it is acknowledged."""

from __future__ import annotations

from tests.support.stores.losing import lose
from tests.support.web.site import Site, body_of


def test_a_lost_end_is_shown_until_somebody_acknowledges_it(site: Site) -> None:
    """No callback comes meanwhile: the question itself looks."""
    site.report(status="provisioning")
    site.report(status="running")
    assert lost_ends(site) == (0, "milepost_log_lost_ends 0.0")

    lose(site.deployment, after=1)

    assert lost_ends(site) == (1, "milepost_log_lost_ends 1.0")
    site.deployment.milepost.store.acknowledge_losses(site.clock.now, None)
    assert lost_ends(site) == (0, "milepost_log_lost_ends 0.0")


def lost_ends(site: Site) -> tuple[int, str]:
    ready = body_of(site.client.get("/readyz"))
    assert ready["status"] == "ready", "callbacks are taken all the same"
    metrics = site.get("/metrics").text.splitlines()
    [line] = [line for line in metrics if line.startswith("milepost_log_lost_ends")]
    return ready["lost_ends"], line

"""Heartbeats that all have one id: a redelivery is no sign of life, and the receipt says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.web.site import Site, body_of, like_jq

SAID = (
    "the id of this heartbeat was recorded before, so it is no sign of life; each heartbeat needs "
    "an id of its own, or none"
)
NAMED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "in the body": ({"callback_id": "7-1-heartbeat"}, {}),
    "in a header": ({}, {"Idempotency-Key": "run-7"}),
    "of an unknown type": ({"callback_id": "ping", "type": "ping"}, {}),
}


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_a_sender_whose_heartbeats_share_an_id_is_told(
    database_site: Site,
    named: tuple[dict[str, Any], dict[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It made the id of what the callback says, and each of its heartbeats says the same."""
    site, (fields, headers) = database_site, named
    raw = like_jq({"job_id": "job-1", "type": "heartbeat", "workflow_run_id": 7, **fields})
    site.register()
    site.report(status="provisioning", workflow_run_id=7)
    first = body_of(site.callback(raw, headers=headers))

    site.clock.advance(seconds=60)
    again = body_of(site.callback(raw, headers=headers))

    assert again["duplicate"]
    assert not first["duplicate"]
    assert SAID in again["warning"]
    assert SAID not in first.get("warning", "")
    [line] = [line for line in caplog.messages if SAID in line]
    assert line.startswith("callback delivered again for job 'job-1': ")


def test_a_retry_of_a_heartbeat_is_not_warned_of(site: Site) -> None:
    site.report(status="provisioning")
    beat = like_jq({"job_id": "job-1", "type": "heartbeat", "callback_id": "7-1-heartbeat-1"})
    site.callback(beat)

    site.clock.advance(seconds=20)

    assert "warning" not in body_of(site.callback(beat))


def test_a_heartbeat_with_an_id_of_its_own_keeps_a_late_retry_quiet(site: Site) -> None:
    site.report(status="provisioning")
    first, second = (
        like_jq({"job_id": "job-1", "type": "heartbeat", "callback_id": f"beat-{number}"})
        for number in (1, 2)
    )
    site.callback(first)
    site.clock.advance(seconds=60)
    site.callback(second)

    assert "warning" not in body_of(site.callback(first))

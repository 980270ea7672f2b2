"""The page that says why a callback had no effect quotes warnings that receipts have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stores.deployment import NOON, Deployment
from tests.support.web.site import Site

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "refused-callbacks.md"
RUN: dict[str, Any] = {"workflow_run_id": "7"}
OTHER: dict[str, Any] = {"workflow_run_id": "9"}
BEAT: dict[str, Any] = {"type": "heartbeat"}
BEGUN: dict[str, Any] = {"status": "provisioning", **RUN}
RUNS: dict[str, Any] = {"status": "running", "server_id": "srv-1", **RUN}
FAILED: dict[str, Any] = {"status": "failed", **RUN}
AGES_AGO, FAR_AHEAD = "2026-03-02T10:00:00Z", "2026-03-02T20:00:00Z"
STORIES: dict[str, list[dict[str, Any]]] = {
    "is not registered": [{**BEGUN, "job_id": "job-1 "}],
    "is already failed": [FAILED, BEAT],
    "is already running": [RUNS, BEAT],
    "a callback of a re-run needs another id": [{**FAILED, "callback_id": "1"}] * 2,
    "is no sign of life; each heartbeat needs": [BEGUN, *[{**BEAT, "callback_id": "1"}] * 2],
    "has taken the place of": [BEGUN, {**BEGUN, **OTHER}, {**BEAT, **RUN}],
    "has not begun, so this changes nothing": [BEGUN, {**BEAT, **OTHER}],
    "names no machine, so nothing changes": [RUNS, {"status": "stopped", **OTHER}],
    "so it counts as one that makes a machine": [
        RUNS,
        {"order": "stop"},
        {**BEGUN, **OTHER},
        {"status": "stopped", "server_id": "srv-1", **OTHER},
    ],
    "no callback of the job named machine": [RUNS, {"status": "stopped", "server_id": "srv-9"}],
    "dated before the timeout": [BEGUN, {"wait": True}, {**BEAT, "occurred_at": AGES_AGO}],
    "an operator ended it": [BEGUN, {"order": "cancel"}, RUNS],
    "is unknown; did you mean": [{**BEGUN, "step": "vm_create"}],
    "makes this a heartbeat": [{**FAILED, **BEAT}],
    "so it counts as a heartbeat": [{"type": "progress"}],
    "seems to hold the callback": [{"type": "progress", "data": FAILED}],
    "nobody has filled in": [{**BEGUN, "workflow_run_id": "$GITHUB_RUN_ID"}],
    "stands for no value": [{**FAILED, "server_id": "null"}],
    "behind ours, or this callback was late": [{**BEGUN, "occurred_at": AGES_AGO}],
    "ahead of ours": [{**BEGUN, "occurred_at": FAR_AHEAD}],
}
"""Callbacks, a minute apart. The last one has the warning."""


def quoted() -> Iterator[str]:
    section = PAGE.read_text().split("## A callback had no effect")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", line.split("|")[1])


def test_the_page_has_a_story_for_each_warning() -> None:
    assert list(quoted()) == list(STORIES)


@pytest.mark.parametrize("warning", STORIES)
def test_a_warning_of_the_page_is_what_a_receipt_says(memory: Deployment, warning: str) -> None:
    site = Site(memory)
    site.register()
    receipt: dict[str, Any] = {}

    for said in STORIES[warning]:
        site.clock.advance(seconds=60)
        if said.get("wait"):
            site.clock.advance(seconds=960)
            site.deployment.milepost.time_out("job-1")
        elif said.get("order") == "stop":
            assert site.stop().status_code == 200
        elif command := said.get("order"):
            site.ordered(command)
        else:
            receipt = site.report(**said)

    assert warning in receipt["warning"]
    assert site.clock() > NOON

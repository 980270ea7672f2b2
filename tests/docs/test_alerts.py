"""The alert rules name metrics that exist, and the page on watching explains each alert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from projections.views.reasons import GROUPS
from tests.support.stores.deployment import Deployment
from tests.support.web.site import Site

ROOT = Path(__file__).parents[2]
WATCHING = (ROOT / "docs" / "operations" / "watching.md").read_text(encoding="utf-8")
FILE = ROOT / "deploy" / "prometheus-alerts.yml"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


def name(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    """`promtool check rules` accepts the file; it knows neither our metrics nor our page."""
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert all(rule["annotations"][text] for text in ("summary", "description"))
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert f"`{rule['alert']}`" in WATCHING


def test_alerts_have_names_of_their_own() -> None:
    assert len({name(rule) for rule in RULES}) == len(RULES)


def test_alerts_ask_for_metrics_that_milepost_has(memory: Deployment) -> None:
    metrics = Site(memory).get("/metrics").text
    known = set(re.findall(r"^(milepost_\w+)[ {]", metrics, re.MULTILINE))
    asked = {found for rule in RULES for found in re.findall(r"milepost_\w+", rule["expr"])}

    assert asked
    assert asked <= known


def test_every_reason_why_a_job_needs_somebody_has_an_alert() -> None:
    reasons = {found for rule in RULES for found in re.findall(r'reason="(\w+)"', rule["expr"])}

    assert reasons == set(GROUPS)

"""The plans of SQLite for what the watch over deadlines asks each second."""

from __future__ import annotations

import pytest

from projections.read_model.sqlite.deadlines import SELECT_DUE, SELECT_PROVISIONING, SELECT_SILENT
from tests.support.deployment import NOON, Deployment
from tests.support.tampering import Database


@pytest.mark.parametrize(
    ("statement", "index", "parameters"),
    [
        (SELECT_DUE, "milepost_instances_look", (NOON.isoformat(), "", "", 50)),
        (SELECT_SILENT, "milepost_instances_look", (NOON.isoformat(), None)),
        (SELECT_PROVISIONING, "milepost_instances_status", ()),
    ],
)
def test_a_round_searches_an_index_and_sorts_nothing(
    sqlite: Deployment, statement: str, index: str, parameters: tuple[object, ...]
) -> None:
    plan = Database(sqlite).rows(f"EXPLAIN QUERY PLAN {statement}", list(parameters))

    [step] = [row[3] for row in plan]
    assert step.startswith("SEARCH milepost_instances USING ")
    assert index in step

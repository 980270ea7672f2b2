"""The plans of SQLite for what is asked each second, or by strangers."""

from __future__ import annotations

import pytest

from projections.read_model.sqlite.deadlines import SELECT_DUE, SELECT_PROVISIONING, SELECT_SILENT
from projections.read_model.sqlite.listing import SELECT_LAST_RUN
from tests.support.stores.deployment import NOON, Deployment
from tests.support.stores.tampering import Database


@pytest.mark.parametrize(
    ("statement", "index", "parameters"),
    [
        (SELECT_DUE, "milepost_instances_look", (NOON.isoformat(), NOON.isoformat(), "", "", 50)),
        (
            SELECT_SILENT,
            "milepost_instances_look",
            (NOON.isoformat(), NOON.isoformat(), None, None),
        ),
        (SELECT_PROVISIONING, "milepost_instances_status", ()),
    ],
)
def test_such_a_question_searches_an_index_and_sorts_nothing(
    sqlite: Deployment, statement: str, index: str, parameters: tuple[object, ...]
) -> None:
    plan = Database(sqlite).rows(f"EXPLAIN QUERY PLAN {statement}", list(parameters))

    [step] = [row[3] for row in plan]
    assert step.startswith("SEARCH milepost_instances USING ")
    assert index in step


def test_the_last_run_of_a_workflow_is_at_the_end_of_a_range(sqlite: Deployment) -> None:
    plan = Database(sqlite).rows(f"EXPLAIN QUERY PLAN {SELECT_LAST_RUN}", ["vm@1", "vm@1"])

    [step] = [row[3] for row in plan if "milepost_instances" in row[3]]
    assert step.startswith("SEARCH milepost_instances USING INDEX milepost_instances_workflow")
    assert not any("TEMP B-TREE" in row[3] for row in plan)

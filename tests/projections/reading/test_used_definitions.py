"""Definitions that jobs were registered with: a later change of one is noticed."""

from __future__ import annotations

import msgspec

from projections.reading.used_definitions import UsedDefinitions
from tests.support.stores.deployment import Deployment


def test_a_definition_that_was_changed_after_its_first_use_is_named(stores: Deployment) -> None:
    vm = stores.workflows.find("vm@1")
    UsedDefinitions(stores.read_model).note(vm)

    after_restart = UsedDefinitions(stores.read_model)
    edited = msgspec.structs.replace(vm, blame="creating")

    assert after_restart.changed([vm]) == []
    assert after_restart.changed([edited]) == ["vm@1"]
    after_restart.note(edited)
    assert after_restart.changed([edited]) == ["vm@1"]


def test_a_definition_that_no_job_has_used_may_change(stores: Deployment) -> None:
    used, vm = UsedDefinitions(stores.read_model), stores.workflows.find("vm@1")

    assert used.changed([msgspec.structs.replace(vm, blame="creating")]) == []

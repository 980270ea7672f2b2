"""What a callback states."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.job.callback import Callback
from domain.job.events import (
    HeartbeatReceived,
    MetadataReported,
    Received,
    StatusReported,
    StepReported,
)
from tests.support.stores.deployment import NOON

MACHINE: dict[str, Any] = {
    "server_id": "srv-1",
    "server_ip": "203.0.113.7",
    "tailscale_ip": "100.64.0.7",
}


def facts(**fields: Any) -> list[Received]:
    return Callback(job_id="job", **fields).facts(NOON)


def test_a_heartbeat_is_a_heartbeat_whatever_else_it_says() -> None:
    """The first rule goes before every other."""
    [fact] = facts(type="heartbeat", status="running", step="vm_created", **MACHINE)

    assert isinstance(fact, HeartbeatReceived)


def test_provisioning_with_a_step_is_a_step() -> None:
    [fact] = facts(status="provisioning", step="vm_created", **MACHINE)

    assert fact == StepReported(recorded_at=NOON, step="vm_created", **MACHINE)


def test_provisioning_with_an_unknown_step_is_a_step_too() -> None:
    [fact] = facts(status="provisioning", step="coffee_made")

    assert fact == StepReported(recorded_at=NOON, step="coffee_made")


def test_running_with_a_whole_machine_is_two_facts() -> None:
    """The machine stands in the metadata alone, which comes first."""
    assert facts(status="running", **MACHINE) == [
        MetadataReported(recorded_at=NOON, **MACHINE),
        StatusReported(recorded_at=NOON, status="running"),
    ]


@pytest.mark.parametrize("missing", MACHINE)
def test_running_without_a_whole_machine_is_one_status_that_keeps_the_rest(missing: str) -> None:
    machine: dict[str, Any] = {**MACHINE, missing: None}

    assert facts(status="running", **machine) == [
        StatusReported(recorded_at=NOON, status="running", **machine)
    ]


def test_running_with_an_empty_field_has_no_whole_machine() -> None:
    [fact] = facts(status="running", **{**MACHINE, "server_ip": ""})

    assert isinstance(fact, StatusReported)


def test_failed_keeps_its_step_its_reason_and_its_machine() -> None:
    [fact] = facts(
        status="failed", step="provision", failed_step="configure_full", error="boom", **MACHINE
    )

    assert fact == StatusReported(
        recorded_at=NOON,
        status="failed",
        step="provision",
        failed_step="configure_full",
        error="boom",
        **MACHINE,
    )


@pytest.mark.parametrize("step", [None, ""])
def test_provisioning_without_a_step_is_a_status(step: str | None) -> None:
    [fact] = facts(status="provisioning", step=step)

    assert isinstance(fact, StatusReported)
    assert fact.status == "provisioning"


def test_another_type_does_not_hide_the_status() -> None:
    """A type that we do not know is kept, and the status decides."""
    [fact] = facts(type="progress", status="running")

    assert isinstance(fact, StatusReported)
    assert fact.extra == {"type": "progress"}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "heartbeat"},
        {"status": "provisioning", "step": "vm_created"},
        {"status": "provisioning"},
        {"status": "running", **MACHINE},
        {"status": "failed", **MACHINE},
    ],
)
def test_every_fact_carries_what_the_callback_says_of_itself(fields: dict[str, Any]) -> None:
    said = {
        "callback_id": "cb-1",
        "occurred_at": NOON,
        "signed_by": "x-signature:3f2a90c1",
        "digest": "00ff",
        "workflow_run_id": "4711",
    }

    made = facts(**fields, **said)

    assert made
    for fact in made:
        assert fact.recorded_at == NOON
        assert {name: getattr(fact, name) for name in said} == said


def test_unknown_fields_are_kept_untouched() -> None:
    extra = {"used_snapshot": True, "mode": "", "metadata": {"cores": [4, None], "": 0.5}}

    for fields in ({"type": "heartbeat"}, {"status": "failed"}, {"status": "provisioning"}):
        [fact] = facts(**fields, extra=extra)
        assert fact.extra == extra


def test_the_status_of_a_running_machine_keeps_the_unknown_fields_once() -> None:
    """Of the two facts of one callback, one keeps them."""
    metadata, status = facts(status="running", **MACHINE, extra={"mode": "full"})

    assert metadata.extra == {}
    assert status.extra == {"mode": "full"}


def test_known_fields_that_a_heartbeat_has_no_place_for_are_kept() -> None:
    said = {"status": "running", "step": "vm_created", "error": "e", "failed_step": "f", **MACHINE}

    [fact] = facts(type="heartbeat", **said, extra={"mode": "full"})

    assert fact.extra == {**said, "mode": "full"}


def test_known_fields_that_a_step_has_no_place_for_are_kept() -> None:
    [fact] = facts(
        type="step", status="provisioning", step="vm_created", error="e", failed_step="f"
    )

    assert fact.extra == {"type": "step", "error": "e", "failed_step": "f"}


def test_nothing_that_a_callback_says_is_lost() -> None:
    """Every known field is found in the facts, in its place or in `extra`."""
    said = {"step": "s", "error": "e", "failed_step": "f", "workflow_run_id": "r", **MACHINE}

    for opening in (
        {"type": "heartbeat"},
        {"type": "t", "status": "provisioning"},
        {"type": "t", "status": "running"},
        {"type": "t", "status": "failed"},
    ):
        stated = {
            value
            for fact in facts(**opening, **said)
            for value in (*msgspec.structs.astuple(fact), *fact.extra.values())
            if isinstance(value, str)
        }
        assert stated >= set(said.values())

"""The UI steps that a person sees, for each status and current step."""

from __future__ import annotations

import pytest

from domain.workflows.definition import UiStatus, Workflows
from projections.views.instance import InProgress, InstanceStatus
from projections.views.ui_steps import ShownStep, ui_steps

VM = ("queued", "creating", "installing", "configuring", "running")
VERIFIED = ("queued", "creating", "networking", "configuring", "verifying", "running")


def statuses(
    workflows: Workflows,
    ref: str,
    status: InstanceStatus,
    current_step: str | None = None,
    failed_at_step: str | None = None,
) -> dict[str, UiStatus]:
    shown = ui_steps(workflows.find(ref), status, current_step, failed_at_step)
    return {step.id: step.status for step in shown}


def expected(ui_step_ids: tuple[str, ...], at: str, status: UiStatus) -> dict[str, UiStatus]:
    """Everything before `at` is completed, everything after it pending."""
    place = ui_step_ids.index(at)
    completed = dict.fromkeys(ui_step_ids[:place], "completed")
    pending = dict.fromkeys(ui_step_ids[place + 1 :], "pending")
    return {**completed, at: status, **pending}  # type: ignore[dict-item]


def test_ui_steps_have_their_labels_in_order(workflows: Workflows) -> None:
    assert ui_steps(workflows.find("vm"), "pending") == [
        ShownStep("queued", "Queued", "active"),
        ShownStep("creating", "Creating Server", "pending"),
        ShownStep("installing", "Installing Dependencies", "pending"),
        ShownStep("configuring", "Configuring Agent", "pending"),
        ShownStep("running", "Running", "pending"),
    ]


def test_a_pending_instance_is_queued(workflows: Workflows) -> None:
    assert statuses(workflows, "vm", "pending") == expected(VM, "queued", "active")
    assert statuses(workflows, "vm-verified", "pending") == expected(VERIFIED, "queued", "active")


@pytest.mark.parametrize(
    ("current_step", "active"),
    [
        (None, "creating"),
        ("coffee_made", "creating"),
        ("provision", "creating"),
        ("vm_created", "installing"),
        ("network_configured", "installing"),
        ("ansible_started", "configuring"),
        ("ansible_complete", "running"),
    ],
)
def test_a_step_of_vm_activates_its_ui_step(
    workflows: Workflows, current_step: str | None, active: str
) -> None:
    shown = statuses(workflows, "vm", "provisioning", current_step)

    assert shown == expected(VM, active, "active")


@pytest.mark.parametrize(
    ("current_step", "active"),
    [
        (None, "creating"),
        ("coffee_made", "creating"),
        ("server_created", "networking"),
        ("vm_created", "networking"),
        ("network_joined", "configuring"),
        ("network_configured", "configuring"),
        ("tailscale_joined", "configuring"),
        ("playbook_started", "configuring"),
        ("ansible_started", "configuring"),
        ("playbook_complete", "verifying"),
        ("ansible_complete", "verifying"),
        ("health_check_passed", "running"),
    ],
)
def test_a_step_of_vm_verified_activates_its_ui_step_by_old_names_too(
    workflows: Workflows, current_step: str | None, active: str
) -> None:
    shown = statuses(workflows, "vm-verified", "provisioning", current_step)

    assert shown == expected(VERIFIED, active, "active")


@pytest.mark.parametrize("status", ["running", "stopping", "stopped"])
@pytest.mark.parametrize(("ref", "ids"), [("vm", VM), ("vm-verified", VERIFIED)])
def test_all_is_completed_once_the_instance_runs(
    workflows: Workflows, ref: str, ids: tuple[str, ...], status: InstanceStatus
) -> None:
    """This holds for any step that was reported last."""
    for step in (None, "vm_created", "coffee_made"):
        assert statuses(workflows, ref, status, step, step) == dict.fromkeys(ids, "completed")


@pytest.mark.parametrize(
    ("failed_at_step", "at_fault"),
    [
        (None, "installing"),
        ("configure_full", "installing"),
        ("unknown", "installing"),
        ("vm_created", "installing"),
        ("network_configured", "installing"),
        ("ansible_started", "configuring"),
        ("ansible_complete", "running"),
    ],
)
def test_a_failure_of_vm_is_shown_where_it_happened(
    workflows: Workflows, failed_at_step: str | None, at_fault: str
) -> None:
    shown = statuses(workflows, "vm", "failed", None, failed_at_step)

    assert shown == expected(VM, at_fault, "error")


@pytest.mark.parametrize(
    ("failed_at_step", "at_fault"),
    [
        (None, "creating"),
        ("configure_full", "creating"),
        ("vm_created", "networking"),
        ("tailscale_joined", "configuring"),
        ("ansible_complete", "verifying"),
        ("health_check_passed", "running"),
    ],
)
def test_a_failure_of_vm_verified_is_shown_where_it_happened(
    workflows: Workflows, failed_at_step: str | None, at_fault: str
) -> None:
    shown = statuses(workflows, "vm-verified", "failed", None, failed_at_step)

    assert shown == expected(VERIFIED, at_fault, "error")


@pytest.mark.parametrize(
    ("cancelled_while", "failed_at_step", "at"),
    [
        ("pending", None, "queued"),
        ("provisioning", None, "creating"),
        ("provisioning", "coffee_made", "creating"),
        ("provisioning", "vm_created", "installing"),
        ("provisioning", "network_configured", "installing"),
        ("provisioning", "ansible_started", "configuring"),
        ("provisioning", "ansible_complete", "running"),
        ("pending", "ansible_started", "configuring"),
    ],
)
def test_a_cancelled_instance_is_shown_where_it_was(
    workflows: Workflows,
    cancelled_while: InProgress,
    failed_at_step: str | None,
    at: str,
) -> None:
    """`blame` is a guess about failures; a cancelled job stops at the step that was active."""
    shown = ui_steps(workflows.find("vm"), "failed", None, failed_at_step, cancelled_while)

    assert {step.id: step.status for step in shown} == expected(VM, at, "error")

"""Definitions, once they are read."""

from __future__ import annotations

import msgspec
import pytest

from domain.errors import WorkflowNotFound
from domain.workflows.definition import Step, UiStep, Workflow, Workflows

FIRST = Workflow(
    name="oven",
    version=1,
    waiting="cold",
    started="warm",
    blame="warm",
    ui_steps=(UiStep("cold", "Cold"), UiStep("warm", "Warm"), UiStep("hot", "Hot")),
    steps=(Step("lit", "warm", ("ignited", "on")), Step("heated", "hot")),
)
SECOND = msgspec.structs.replace(FIRST, version=2)
TENTH = msgspec.structs.replace(FIRST, version=10)
OTHER = msgspec.structs.replace(FIRST, name="kiln")
AT_HAND = Workflows([TENTH, OTHER, FIRST, SECOND], default="kiln@1")


def test_a_definition_is_recorded_by_name_and_version() -> None:
    assert TENTH.ref == "oven@10"


def test_old_names_rank_like_the_step_that_they_were() -> None:
    assert FIRST.ranks == {"lit": 0, "ignited": 0, "on": 0, "heated": 1}


def test_old_names_activate_what_the_step_activates() -> None:
    assert FIRST.activated_by == {"lit": "warm", "ignited": "warm", "on": "warm", "heated": "hot"}


def test_a_definition_is_found_by_name_and_version() -> None:
    assert AT_HAND.find("oven@2") == SECOND


def test_a_name_alone_finds_the_newest_version() -> None:
    """Versions are numbers: 10 is newer than 2."""
    assert AT_HAND.find("oven") == TENTH


def test_no_name_finds_the_default() -> None:
    assert AT_HAND.find(None) == OTHER
    assert AT_HAND.default == OTHER


@pytest.mark.parametrize("ref", ["oven@3", "toaster", "", "oven@", "@1"])
def test_an_unknown_definition_is_refused_with_the_known_ones(ref: str) -> None:
    with pytest.raises(WorkflowNotFound, match="kiln@1, oven@1, oven@10, oven@2"):
        AT_HAND.find(ref)


def test_a_default_must_be_at_hand() -> None:
    with pytest.raises(WorkflowNotFound):
        Workflows([FIRST], default="kiln@1")


def test_a_job_whose_definition_is_gone_is_shown_by_the_default() -> None:
    """What a job recorded never makes reading it fail."""
    assert AT_HAND.recorded("oven@1") == FIRST
    assert AT_HAND.recorded("oven@3") == OTHER
    assert AT_HAND.recorded(None) == OTHER
    assert AT_HAND.ranks("oven@3") == OTHER.ranks


def test_definitions_are_listed_by_name_and_version() -> None:
    assert [workflow.ref for workflow in AT_HAND] == ["kiln@1", "oven@1", "oven@2", "oven@10"]


def test_the_fingerprint_changes_with_any_definition() -> None:
    relabelled = msgspec.structs.replace(
        SECOND, ui_steps=(*SECOND.ui_steps[:2], UiStep("hot", "!"))
    )

    assert Workflows([FIRST, SECOND], "oven@1").fingerprint == (
        Workflows([SECOND, FIRST], "oven@1").fingerprint
    )
    assert Workflows([FIRST, relabelled], "oven@1").fingerprint != (
        Workflows([FIRST, SECOND], "oven@1").fingerprint
    )
    assert Workflows([FIRST, SECOND], "oven@2").fingerprint != (
        Workflows([FIRST, SECOND], "oven@1").fingerprint
    )

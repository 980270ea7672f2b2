"""The digest of a definition: it changes when a job's page would, and with no release of ours."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from domain.workflows.definition import Deadlines, Workflow
from domain.workflows.digest import digest_of
from domain.workflows.files import SHIPPED, load, read

VM = read(SHIPPED / "vm.toml")


def test_the_digests_of_what_ships_are_those_that_jobs_have_recorded() -> None:
    """A definition that ships must not change under its name and version either."""
    assert {each.ref: each.digest for each in load()} == {
        "milepost-demo@1": "5d4a8df65baa6bbf",
        "vm@1": "3aed9d05141a77ed",
        "vm-verified@1": "2214e7e1c7614d23",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"ui_steps": (msgspec.structs.replace(VM.ui_steps[0], label="Waiting"), *VM.ui_steps[1:])},
        {"steps": VM.steps[1:]},
        {"steps": (msgspec.structs.replace(VM.steps[0], aliases=("made",)), *VM.steps[1:])},
        {"steps": (msgspec.structs.replace(VM.steps[0], deadline_seconds=60), *VM.steps[1:])},
        {"blame": "creating"},
        {"deadlines": Deadlines(heartbeat_seconds=60)},
        {"max_retries": 0},
    ],
)
def test_what_a_job_is_shown_or_judged_by_changes_the_digest(change: dict[str, object]) -> None:
    assert msgspec.structs.replace(VM, **change).digest != VM.digest


def test_a_description_a_default_and_comments_change_nothing(tmp_path: Path) -> None:
    other = tmp_path / "vm.toml"
    other.write_text(f"# another day\n{(SHIPPED / 'vm.toml').read_text(encoding='utf-8')}")

    assert msgspec.structs.replace(VM, description="", default=False).digest == VM.digest
    assert read(other).digest == VM.digest


def test_a_field_that_a_later_release_adds_changes_no_digest() -> None:
    class Later(Workflow, frozen=True, kw_only=True):
        colour: str = "green"

    later = msgspec.convert(msgspec.to_builtins(VM), Later)

    assert digest_of(later) == VM.digest
    assert digest_of(msgspec.structs.replace(later, colour="blue")) != VM.digest

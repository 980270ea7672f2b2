"""`MILEPOST_SENDERS` names a TOML file of senders, which is checked at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings.checks.named_senders import NamedSender
from api.settings.config import from_environment
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from api.wiring import senders_of
from domain.workflows.definition import Workflows

SECRET, OTHER = "a secret of deployers", "a secret of testers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deployers").write_text(f"{SECRET}\n\n  of last year  \n")
    (tmp_path / "testers").write_text(OTHER)
    (tmp_path / "empty").write_text(" \n")
    return tmp_path


def read(folder: Path, toml: str, **environment: str) -> tuple[NamedSender, ...]:
    file = folder / "senders.toml"
    file.write_text(toml)
    return from_environment({"MILEPOST_SENDERS": str(file), **environment}).named_senders


def test_a_table_is_a_sender_with_its_secrets_workflows_and_users(folder: Path) -> None:
    testers = folder / "testers"
    toml = f"""
        [deployers]
        secret_file = "deployers"
        workflows = ["vm"]
        users = ["ada", "bob"]
        [testers]
        secret_file = "{testers}"
    """

    found = read(folder, toml)

    assert SECRET not in repr(found)
    assert found == (
        NamedSender("deployers", (SECRET, "of last year"), ("vm",), ("ada", "bob")),
        NamedSender("testers", (OTHER,)),
    )


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", "has no sender"),
        ("[deployers", "cannot be read"),
        ("deployers = 1", "deployers: Expected `object`"),
        ("[deployers]", "deployers: Object missing required field `secret_file`"),
        ('[deployers]\nsecret_file="deployers"\nuser=["ada"]', "unknown field `user`"),
        ('[deployers]\nsecret_file="deployers"\nusers="ada"', "users"),
        ('[deployers]\nsecret_file="deployers"\nworkflows=[]', "workflows is empty"),
        ('[deployers]\nsecret_file="nowhere"', "nowhere cannot be read"),
        ('[deployers]\nsecret_file="empty"', "secret_file: contains no secret"),
        ('[job-key]\nsecret_file="deployers"', "is not job-key"),
        ('["x signature"]\nsecret_file="deployers"', "a name has"),
        ('[a]\nsecret_file="testers"\n[b]\nsecret_file="testers"', "share a secret"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(folder: Path, toml: str, said: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        read(folder, toml)

    assert str(caught.value).startswith(f"MILEPOST_SENDERS: {folder / 'senders.toml'}")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_sender_has_no_secret_of_milepost(folder: Path) -> None:
    """The shared secret has no limits, and would be tried first."""
    toml = '[deployers]\nsecret_file = "deployers"'

    with pytest.raises(InvalidSetting, match="share a secret"):
        read(folder, toml, MILEPOST_CALLBACK_SECRET=SECRET)


def test_an_unknown_workflow_stops_the_start(tmp_path: Path, workflows: Workflows) -> None:
    sender = NamedSender("deployers", (SECRET,), ("vmm",))
    settings = Settings(home=tmp_path, database_url="sqlite:///", named_senders=(sender,))

    with pytest.raises(InvalidSetting, match="deployers: there is no workflow 'vmm'"):
        senders_of(settings, workflows)

"""`milepost checkpoint`: a signed statement on stdout, keys on request, clear words otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from api.settings.config import from_environment
from api.settings.credentials import with_credentials
from domain.evidence.checkpoint import Checkpoint, parse_checkpoint
from domain.evidence.signed_note import opened_note
from domain.evidence.signing_keys import PrivateKey, PublicKey
from projections.tree.grower import Grower
from tests.support.shell import Shell
from tests.support.site import SIGNER, Site
from tests.support.tampering import Database


@pytest.fixture
def signing(shell: Shell) -> Shell:
    """A shell that knows the key that signs."""
    return Shell(
        **{name: value for name, value in shell.environment.items() if value is not None},
        MILEPOST_CHECKPOINT_KEY=SIGNER.secret(),
    )


def opened(note: str, key: PublicKey = SIGNER.public) -> Checkpoint:
    return parse_checkpoint(opened_note(note, [key])[0])


def test_a_checkpoint_covers_the_whole_log(signing: Shell, database_site: Site) -> None:
    """Also while nobody projects: then the command brings the tree up to date itself."""
    database_site.register()
    database_site.report(status="provisioning")

    made = opened(signing("checkpoint"))

    assert (made.origin, made.size, made.position) == (SIGNER.name, 2, 2)
    assert made.root == database_site.services.evidence.root(2).root
    database_site.report(type="heartbeat")
    assert opened(signing("checkpoint")).size == 3


def test_a_checkpoint_waits_for_who_projects_and_says_what_it_covers(
    signing: Shell, database_site: Site
) -> None:
    database_site.register()
    Grower(database_site.deployment.tree).catch_up()
    database_site.report(status="provisioning")

    with database_site.deployment.read_model.projector_lock() as wake_ups:
        assert wake_ups is not None
        result = signing.run("checkpoint", "--wait", "0")

    assert result.exit_code == 0
    assert opened(result.stdout).size == 1
    assert result.stderr == "The checkpoint covers 1 events, up to position 1; the log is at 2.\n"


def test_a_log_that_lost_what_was_signed_gets_no_checkpoint(
    signing: Shell, database_site: Site
) -> None:
    database_site.register()
    database_site.report(status="provisioning")
    signing("checkpoint")
    Database(database_site.deployment).run("DELETE FROM milepost_events WHERE notification_id = 2")

    assert "position 2" in (said := signing.fails("checkpoint"))
    assert said.endswith("; see milepost verify\n")
    with database_site.deployment.read_model.projector_lock():
        assert signing.fails("checkpoint") == said
    assert "position 2" in signing("status")
    assert "position 2" in signing.json("status")["tree_fault"]


def test_the_key_that_was_made_at_the_first_start_signs(empty: Shell, tmp_path: Path) -> None:
    empty("init-db")
    assert "no checkpoint key is configured" in empty.fails("checkpoint")
    assert "no checkpoint key is configured" in empty.fails("checkpoint", "--key")
    settings, made = with_credentials(from_environment({"MILEPOST_HOME": str(tmp_path / "home")}))

    public = empty("checkpoint", "--key").strip()

    assert public == made["checkpoint key"] == str(settings.signers[0].public)
    assert opened(empty("checkpoint"), PublicKey.parse(public)).origin == "milepost"


def test_public_keys_are_printed_and_no_private_one(signing: Shell) -> None:
    assert signing("checkpoint", "--key") == f"{SIGNER.public}\n"


def test_a_new_key_is_printed_for_a_configuration(empty: Shell, tmp_path: Path) -> None:
    result = empty.run("checkpoint", "--new-key", "log.example")

    key = PrivateKey.parse(result.stdout)
    assert key.name == "log.example"
    assert str(key.public) in result.stderr
    assert key.secret() not in result.stderr
    assert not (tmp_path / "home").exists()
    for wrong in ("", "two words", "a+b"):
        assert empty.run("checkpoint", "--new-key", wrong).exit_code == 2
    assert empty.run("checkpoint", "--new-key", "a", "--key").exit_code == 2


def test_who_only_looks_makes_no_database(empty: Shell, tmp_path: Path) -> None:
    assert empty.fails("checkpoint").startswith("Error: there is no database at ")
    assert not (tmp_path / "home").exists()


def test_the_state_of_the_tree_is_in_the_status(signing: Shell, database_site: Site) -> None:
    database_site.register()
    assert "0 events, 1 position behind" in signing("status")
    Grower(database_site.deployment.tree).catch_up()
    assert "1 event, up to date" in signing("status")
    found = signing.json("status")
    growth = msgspec.structs.asdict(database_site.services.evidence.growth())
    assert {name: found[f"tree_{name}"] for name in growth} == growth

"""`milepost checkpoint`: a signed statement on stdout, keys on request, clear words otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from api.settings.config import from_environment
from api.settings.credentials import with_credentials
from domain.evidence.checkpoint import Checkpoint, parse_checkpoint
from domain.evidence.signed_note import opened_note, signed_note
from domain.evidence.signing_keys import PrivateKey, PublicKey
from domain.transfer.manifest import loaded
from projections.tree.grower import Grower
from tests.support.people.shell import Shell, beside
from tests.support.stores.deployment import Deployment, settle
from tests.support.stores.tampering import Database
from tests.support.web.site import SIGNER, Site


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

    note = empty("checkpoint")
    origin = opened(note, PublicKey.parse(public)).origin
    assert public == str(settings.signers[0].public.named(origin))
    assert origin.startswith("milepost/")
    # Who was given the key by the name that it had before still finds its signature.
    assert opened(note, PublicKey.parse(made["checkpoint key"])).origin == origin


def test_every_log_has_an_origin_of_its_own_which_its_servers_share(
    databases: Deployment, tmp_path: Path
) -> None:
    here, there = (beside(databases, tmp_path / name) for name in ("here", "there"))
    other = Shell(MILEPOST_HOME=str(tmp_path / "other"))
    other("init-db")
    keys = []
    for shell in (here, there, other):
        home = str(shell.environment["MILEPOST_HOME"])
        with_credentials(from_environment({"MILEPOST_HOME": home}))
        keys.append(PublicKey.parse(shell("checkpoint", "--key")))

    assert keys[0].name == keys[1].name != keys[2].name
    assert keys[0].id != keys[1].id, "each home has made a key of its own"
    assert opened(here("checkpoint"), keys[0]).origin == keys[0].name


def test_a_checkpoint_from_before_logs_had_origins_still_verifies(
    databases: Deployment, database_site: Site, tmp_path: Path
) -> None:
    shell = beside(databases, tmp_path)
    home = str(shell.environment["MILEPOST_HOME"])
    settings, _ = with_credentials(from_environment({"MILEPOST_HOME": home}))
    database_site.register()
    settle(databases)
    root = database_site.services.evidence.root()
    old = Checkpoint("milepost", root.size, root.root, root.position, database_site.clock())
    for name, note in {
        "old": signed_note(old.text, settings.signers),
        "new": shell("checkpoint"),
    }.items():
        (tmp_path / name).write_text(note)
    database_site.report(status="provisioning")
    settle(databases)

    said = shell("verify", "--checkpoint", str(tmp_path / "old"), "--checkpoint", f"{tmp_path}/new")

    assert "Checkpoints that the log extends: 2" in said
    # A host that trusts the old public key trusts this log's new checkpoints by it.
    public = str(settings.signers[0].public)
    elsewhere = beside(databases, tmp_path / "elsewhere", MILEPOST_CHECKPOINT_TRUSTED=public)
    assert "extends: 1" in elsewhere("verify", "--checkpoint", str(tmp_path / "new"))


def test_a_checkpoint_of_another_log_by_the_same_key_is_not_taken(
    databases: Deployment, tmp_path: Path
) -> None:
    """As when a database was deleted, and its home was kept."""
    shell = beside(databases, tmp_path)
    home = str(shell.environment["MILEPOST_HOME"])
    with_credentials(from_environment({"MILEPOST_HOME": home}))
    other = Shell(MILEPOST_HOME=home, MILEPOST_DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    other("init-db")
    (tmp_path / "note").write_text(other("checkpoint"))

    said = shell.fails("verify", "--checkpoint", f"{tmp_path}/note")

    assert "not by a trusted key" in said
    assert "MILEPOST_CHECKPOINT_TRUSTED" in said, "which a restore on another machine needs"


def test_the_release_before_believes_the_manifest_of_an_export(
    databases: Deployment, database_site: Site, tmp_path: Path
) -> None:
    """It trusts the key by the name that every key had."""
    shell = beside(databases, tmp_path)
    home = str(shell.environment["MILEPOST_HOME"])
    settings, _ = with_credentials(from_environment({"MILEPOST_HOME": home}))
    database_site.register()
    shell("export", str(tmp_path / "log.jsonl"))

    manifest = (tmp_path / "log.jsonl.manifest.json").read_bytes()

    assert loaded(manifest, [settings.signers[0].public]).signed
    assert loaded(manifest, [PublicKey.parse(shell("checkpoint", "--key"))]).signed


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

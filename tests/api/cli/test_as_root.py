"""What root runs beside a service leaves the service its files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.evidence.signing_keys import NAMELESS, PrivateKey
from tests.support.processes.accounts import ANOTHER, command_of, give_away, run_as, shared_folder

ROOT = 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the service's account, with its home in it."""
    with shared_folder() as folder:
        yield folder


@pytest.fixture
def service(folder: Path) -> Path:
    """The home of a service that has run already."""
    assert run_as(folder, "init-db") == (0, f"sqlite:///{folder}/home/milepost.db is ready.\n", "")
    return folder / "home"


def owners(home: Path) -> dict[str, int]:
    return {path.name: path.stat().st_uid for path in home.rglob("*")}


def projects(folder: Path, user: int = ANOTHER) -> str:
    """Let an account project until it has the lock; return what it said meanwhile."""
    with command_of(folder, "project", user=user) as service:
        assert service.stderr is not None
        said = ""
        for line in service.stderr:
            said += line
            if line.endswith("projecting\n") or "Error" in line or "trying again" in line:
                break
        service.terminate()
        service.communicate(timeout=60)
    return said


@pytest.mark.parametrize("command", ["init-db", "rebuild", "checkpoint", "status", "verify"])
def test_a_command_of_root_s_leaves_no_file_to_root(
    folder: Path, service: Path, command: str
) -> None:
    run_as(folder, command, user=ROOT)

    assert set(owners(service).values()) == {ANOTHER}, owners(service)
    assert "trying again" not in projects(folder)


def test_what_root_s_projector_has_seen_of_the_log_is_the_service_s_to_read(
    folder: Path, service: Path
) -> None:
    assert "trying again" not in projects(folder, ROOT)

    found = owners(service)

    assert "milepost.db-projector" in found
    assert set(found.values()) == {ANOTHER}, found


def test_folders_that_root_makes_belong_to_the_owner_of_the_folder_above(folder: Path) -> None:
    """Else the service could not enter its own home."""
    made = folder / "deep" / "home"

    status, _, said = run_as(folder, "init-db", user=ROOT, home=made)

    assert status == 0, said
    assert {path.stat().st_uid for path in (made.parent, made)} == {ANOTHER}
    assert set(owners(made).values()) == {ANOTHER}, owners(made)
    assert run_as(folder, "status", home=made)[0] == 0


def test_a_database_that_root_makes_belongs_to_the_owner_of_its_folder(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    give_away(home)

    status, _, said = run_as(folder, "init-db", user=ROOT)

    assert status == 0, said
    assert set(owners(home).values()) == {ANOTHER}, owners(home)
    assert stat.S_IMODE((home / "milepost.db").stat().st_mode) == 0o600


def test_a_lock_that_is_root_s_is_named_in_one_line_and_root_gives_it_back(
    folder: Path, service: Path
) -> None:
    """As an earlier release left it after `sudo milepost rebuild`."""
    lock = service / "milepost.db-projector"
    lock.unlink(missing_ok=True)
    lock.touch(0o600)

    said = projects(folder)

    assert "Traceback" not in said
    assert said.endswith(
        f"the database is away, trying again: {lock} cannot be opened: it belongs to the user 0, "
        f"and this is the user {ANOTHER}; chown {ANOTHER} it\n"
    )
    _, _, given = run_as(folder, "init-db", user=ROOT)
    assert given == f"gave {lock} to the owner of the database: root had made it\n"
    assert "trying again" not in projects(folder)


def test_root_gives_away_nothing_but_empty_locks_of_one_name(folder: Path, service: Path) -> None:
    """The owner of the folder could have put a file of root's there, to get it."""
    precious, linked = folder / "precious", service / "milepost.db-rebuild"
    precious.write_text("")
    linked.hardlink_to(precious)
    filled = service / "milepost.db-next-writer"
    filled.write_text("precious")

    _, _, said = run_as(folder, "init-db", user=ROOT)

    assert "gave" not in said
    assert {path.stat().st_uid for path in (precious, linked, filled)} == {ROOT}


def test_root_reads_the_key_that_the_service_has_made(folder: Path, service: Path) -> None:
    key = service / "checkpoint-key"
    key.write_text(PrivateKey.generate(NAMELESS).secret())
    key.chmod(0o600)
    give_away(key)

    status, signed, said = run_as(folder, "checkpoint", user=ROOT)

    assert status == 0, said
    assert signed.startswith("milepost/")

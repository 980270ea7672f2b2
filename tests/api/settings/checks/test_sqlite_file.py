"""What may be in the place of the SQLite file, and how its URL is written: right, or one line."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy
from urllib.parse import quote

import pytest

from api.settings.checks.sqlite_file import OF_SQLITE
from api.settings.config import from_environment
from api.settings.home import make_folder, make_home
from api.settings.variables import InvalidSetting
from tests.support.people.shell import Shell
from tests.support.processes.accounts import ANOTHER, give_away, run_as, shared_folder
from tests.support.processes.disks import fill, read_only, small_disk
from tests.support.processes.server import free_port

STARTS = ("init-db", "project", "serve")
MAKING = ("init-db", "serve")
LOOKS = ("status", "jobs", "verify", "export -")

# URLs


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///:memory:", "in a file, such as sqlite:////var/lib/milepost.db"),
        ("sqlite:////tmp/a:memory:b", "in a file, such as sqlite:////var/lib/milepost.db"),
        ("sqlite:////tmp/m.db?mode=memory", "in a file, such as sqlite:////var/lib/milepost.db"),
        ("sqlite:///data/m.db", f"write sqlite:///{Path.cwd()}/data/m.db (four slashes)"),
        ("sqlite:///m%20.db", f"write sqlite:///{Path.cwd()}/m%20.db (four slashes)"),
        ("sqlite:///", "must be sqlite:////PATH"),
        ("sqlite:////", "must be sqlite:////PATH"),
        ("sqlite:////tmp/m.db?cache=shared", "has no options; write %3F for a ?"),
        ("sqlite:////tmp/m#1.db", "write %23 for a #"),
        ("sqlite:////tmp/m%00.db", "NUL"),
        ("sqlite:////tmp/m%FF.db", "not UTF-8"),
        ("sqlite://tmp/m.db", "must be sqlite:////PATH"),
    ],
)
def test_a_url_that_cannot_be_is_refused_and_the_right_form_is_shown(url: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^MILEPOST_DATABASE_URL: ") as caught:
        from_environment({"MILEPOST_DATABASE_URL": url})

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a b", "100%", "50%25", "a?b", "a#b", "\u00fc\u4e2d", "a'b\"c", "%41"]
)
def test_any_name_may_be_written_in_a_url(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / f"{name}.db"
    shell = Shell(
        MILEPOST_HOME=str(tmp_path), MILEPOST_DATABASE_URL=f"sqlite:///{quote(str(file))}"
    )

    shell("init-db")

    assert file.is_file()
    assert shell.json("status")["log_position"] == 0
    shell("backup", str(tmp_path / "copy.db"))


@pytest.mark.parametrize("name", ["a b", "100%", "%41", "a?b", "a#b", "\u00fc"])
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    home = tmp_path / name

    Shell(MILEPOST_HOME=str(home))("init-db")

    assert (home / "milepost.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


# What is in its place


def shell_of(file: Path) -> Shell:
    return Shell(
        MILEPOST_HOME=str(file.parent / "home"),
        MILEPOST_DATABASE_URL=f"sqlite:///{file}",
        MILEPOST_PORT=str(free_port()),
    )


def folder(file: Path) -> None:
    file.mkdir()


def named_pipe(file: Path) -> None:
    os.mkfifo(file)


def a_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(file))


def a_device(file: Path) -> None:
    file.symlink_to("/dev/full")


def text(file: Path) -> None:
    file.write_text("no database\n" * 1000)


def encrypted(file: Path) -> None:
    file.write_bytes(os.urandom(8192))


def damaged(file: Path) -> None:
    shell_of(file)("init-db")
    content = bytearray(file.read_bytes())
    content[100:4096] = os.urandom(3996)
    file.write_bytes(content)


def loop(file: Path) -> None:
    file.symlink_to(file)


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (folder, "is a folder, and no SQLite file"),
        (named_pipe, "is a named pipe, and no SQLite file"),
        (a_socket, "is a socket, and no SQLite file"),
        (a_device, "is a device, and no SQLite file"),
        (text, "is no SQLite database"),
        (encrypted, "is no SQLite database, or another program has encrypted it"),
        (damaged, "malformed"),
        (loop, "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_database_stops_every_command_in_one_line(
    tmp_path: Path, put: Callable[[Path], None], said: str
) -> None:
    file = tmp_path / "test.db"
    put(file)

    for command in (*STARTS, *LOOKS):
        assert said in shell_of(file).fails(*command.split()), command


def empty(file: Path) -> None:
    file.touch(0o600)


def nothing(file: Path) -> None:
    assert not file.exists()


def of_another_program(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (a TEXT)")


def a_link(file: Path) -> None:
    (file.parent / "elsewhere").mkdir()
    shell_of(file.parent / "elsewhere" / "real.db")("init-db")
    file.symlink_to("elsewhere/real.db")


def a_link_to_nothing(file: Path) -> None:
    (file.parent / "elsewhere").mkdir()
    file.symlink_to("elsewhere/new.db")


@pytest.mark.parametrize("put", [nothing, empty, of_another_program, a_link, a_link_to_nothing])
def test_what_can_be_a_database_becomes_one(tmp_path: Path, put: Callable[[Path], None]) -> None:
    file = tmp_path / "test.db"
    put(file)

    shell_of(file)("init-db")

    assert shell_of(file).lines("verify")[-1]["findings"] == 0


def test_the_locks_of_a_linked_file_are_beside_the_file_itself(tmp_path: Path) -> None:
    """Else two servers, by two names, would each have a projector's lock of their own."""
    file = tmp_path / "test.db"
    a_link(file)

    shell_of(file)("rebuild")

    assert (tmp_path / "elsewhere" / "real.db-rebuild").exists()
    assert not (tmp_path / "test.db-rebuild").exists()


# What others have put beside it


def forged_wal(database: Path) -> Path:
    """Return a `-wal` of another database that has other tokens."""
    other = database.with_name("other.db")
    shell_of(other)("init-db")
    shell_of(other)("tokens", "create", "forged", "--scope", "admin")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("VACUUM")
        return Path(copy(f"{other}-wal", f"{database}-wal"))


def test_a_wal_of_another_account_does_not_become_the_database(tmp_path: Path) -> None:
    """In a folder such as /tmp, others may put files beside those that only this account writes."""
    file = tmp_path / "test.db"
    shell_of(file)("init-db")
    shell_of(file)("tokens", "create", "honest")

    give_away(forged_wal(file))

    for command in (*STARTS, *LOOKS):
        said = shell_of(file).fails(*command.split())
        assert f"test.db-wal may be forged: it belongs to the user {ANOTHER}" in said, command
    (tmp_path / "test.db-wal").unlink()
    assert [token["name"] for token in shell_of(file).lines("tokens", "list")] == ["honest"]


def test_who_may_write_the_database_may_have_made_its_wal(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    shell_of(file)("init-db")
    file.chmod(0o660)
    wal = tmp_path / "test.db-wal"
    wal.touch()

    give_away(wal)

    shell_of(file)("tokens", "create", "honest")


@pytest.mark.parametrize("end", OF_SQLITE)
def test_no_pipe_and_no_link_beside_the_database_is_opened(tmp_path: Path, end: str) -> None:
    file, beside = tmp_path / "test.db", tmp_path / f"test.db{end}"
    shell_of(file)("init-db")

    for put in (named_pipe, loop):
        put(beside)
        assert f"test.db{end} is no file of SQLite's" in shell_of(file).fails("tokens", "list")
        beside.unlink()


# What this account may do


@pytest.fixture
def theirs() -> Iterator[Path]:
    """The folder of another account, with a database in its home."""
    with shared_folder() as folder:
        home = folder / "home"
        home.mkdir(mode=0o700)
        give_away(home)
        Shell(MILEPOST_HOME=str(home))("init-db")
        yield folder


def of_root(home: Path) -> str:
    (home / "milepost.db").chmod(0o644)
    os.chown(home / "milepost.db", 0, 0)
    whose = f"mode 0644, of the user 0; this is the user {ANOTHER}"
    return f"milepost.db cannot be written by this account ({whose})"


def read_only_file(home: Path) -> str:
    (home / "milepost.db").chmod(0o400)
    return "milepost.db cannot be written by this account (mode 0400"


def read_only_folder(home: Path) -> str:
    home.chmod(0o500)
    return "home cannot be written by this account (mode 0500"


def a_home_of_root_s(home: Path) -> str:
    (home / "milepost.db").unlink()
    os.chown(home, 0, 0)
    home.chmod(0o755)
    return "milepost.db cannot be made: Permission denied"


def a_folder_that_nobody_may_enter(home: Path) -> str:
    home.chmod(0o000)
    return "milepost.db cannot be reached: Permission denied"


def a_file_in_the_place_of_the_home(home: Path) -> str:
    home.rename(home.with_name("before"))
    home.write_text("")
    return "home is no folder"


@pytest.mark.parametrize(
    "spoil",
    [
        of_root,
        read_only_file,
        read_only_folder,
        a_folder_that_nobody_may_enter,
    ],
)
@pytest.mark.parametrize("command", STARTS)
def test_what_this_account_may_not_do_is_one_line_at_the_start(
    theirs: Path, spoil: Callable[[Path], str], command: str
) -> None:
    refused_at_the_start(theirs, spoil, command)


@pytest.mark.parametrize("spoil", [a_home_of_root_s, a_file_in_the_place_of_the_home])
@pytest.mark.parametrize("command", MAKING)
def test_a_database_that_this_account_may_not_make_is_one_line_at_the_start(
    theirs: Path, spoil: Callable[[Path], str], command: str
) -> None:
    refused_at_the_start(theirs, spoil, command)


def refused_at_the_start(theirs: Path, spoil: Callable[[Path], str], command: str) -> None:
    expected = spoil(theirs / "home")

    status, out, said = run_as(theirs, command)

    assert (status, out) == (1, "")
    assert said.startswith("Error: MILEPOST_")
    assert said.count("\n") == 1
    assert expected in said


@pytest.mark.parametrize("spoil", [read_only_file, read_only_folder, of_root])
@pytest.mark.parametrize("command", LOOKS)
def test_reading_is_enough_to_look(
    theirs: Path, spoil: Callable[[Path], str], command: str
) -> None:
    spoil(theirs / "home")

    status, _, said = run_as(theirs, *command.split())

    assert status == 0, said


# The disk


def test_a_read_only_disk_is_named_at_the_start(tmp_path: Path) -> None:
    shell = shell_of(tmp_path / "disk" / "test.db")
    shell("init-db")

    with read_only(tmp_path / "disk"):
        for command in STARTS:
            said = shell.fails(command)
            assert said.startswith("Error: MILEPOST_")
            assert "ead-only file system" in said


@pytest.mark.parametrize("command", STARTS)
def test_a_full_disk_is_named_at_the_start(tmp_path: Path, command: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk):
        shell = shell_of(disk / "test.db")
        disk.joinpath("home").mkdir(mode=0o700)
        fill(disk)

        said = shell.fails(command)

    assert "full" in said or "No space left on device" in said


def test_a_home_that_is_no_folder_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "unmounted" / "home")

    for name, reason in (("file", "is no folder"), ("link", "is a link to nothing")):
        with pytest.raises(InvalidSetting, match=f"^MILEPOST_HOME: .*/{name} {reason}"):
            make_folder("MILEPOST_HOME", tmp_path / name)
    with pytest.raises(InvalidSetting, match="/link is a link to nothing"):
        make_folder("MILEPOST_HOME", tmp_path / "link" / "deeper")


def test_a_link_to_a_disk_that_is_not_mounted_begins_no_other_log(tmp_path: Path) -> None:
    (tmp_path / "milepost.db").symlink_to(tmp_path / "unmounted" / "milepost.db")

    with pytest.raises(
        InvalidSetting, match=r"milepost\.db is a link to nothing: .*/unmounted does"
    ):
        make_home(from_environment({"MILEPOST_HOME": str(tmp_path)}))

    assert not (tmp_path / "unmounted").exists()

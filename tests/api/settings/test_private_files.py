"""Other accounts of the machine read nothing that Milepost keeps on its disk."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from api.settings.config import from_environment
from api.settings.credentials import GENERATED, with_credentials
from api.settings.home import make_home
from api.settings.private_files import made_private
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from api.wiring import open_services
from domain.job.callback import Callback
from tests.support.processes.accounts import ANOTHER, give_away, run_as, shared_folder
from tests.support.processes.disks import read_only
from tests.support.processes.server import MILEPOST, free_port

FILES = [credential.file_name for credential in GENERATED.values()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that existed before, open as `mkdir` makes it."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings with that home."""
    return from_environment({"MILEPOST_HOME": str(home)})


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
def test_every_file_is_for_this_account_alone(settings: Settings, umask: int) -> None:
    before = os.umask(umask)
    try:
        filled, _ = with_credentials(settings)
        with closing(open_services(filled)) as services:
            services.prepare()
            services.milepost.record(Callback(job_id="job", type="heartbeat"))
            with services.read_model.projector_lock(), services.shadow.lock():
                files = {path.name: mode(path) for path in settings.home.iterdir()}
    finally:
        os.umask(before)

    assert {"milepost.db", "milepost.db-wal", "milepost.db-shm", *FILES} < files.keys()
    assert len(files) > 7
    assert set(files.values()) == {0o600}, files


@pytest.mark.parametrize("umask", [0o177, 0o777])
def test_a_umask_that_takes_the_owners_own_rights_stops_no_start(umask: int) -> None:
    with shared_folder() as folder:
        home = folder / "above" / "home"

        status, _, said = run_as(folder, "init-db", home=home, umask=umask)

        assert (status, said) == (0, "")
        assert mode(home.parent) == mode(home) == 0o700


def test_files_from_before_are_closed_with_one_line(settings: Settings) -> None:
    with_credentials(settings)
    make_home(settings)
    settings.home.chmod(0o700)
    shut = [settings.home / "admin-token", settings.home / "milepost.db"]
    for path in shut:
        path.chmod(0o644)

    [line] = made_private(settings)

    assert line.startswith(f"made {shut[0]}, {shut[1]} private (mode 0600)")
    assert [mode(path) for path in shut] == [0o600] * 2
    assert list(made_private(settings)) == []


def test_an_open_folder_is_warned_of_in_one_line_and_stays(settings: Settings) -> None:
    make_home(settings)

    [line] = made_private(settings)

    assert line.endswith(f"to forbid it: chmod 700 {settings.home}")
    assert mode(settings.home) == 0o755


def test_files_of_others_and_links_stay_as_they_are(settings: Settings, tmp_path: Path) -> None:
    theirs, elsewhere = settings.home / "milepost.db", tmp_path / "elsewhere"
    for path in (theirs, elsewhere):
        path.write_bytes(b"")
        path.chmod(0o644)
    give_away(theirs)
    (settings.home / "verify.json").symlink_to(elsewhere)
    settings.home.chmod(0o700)

    assert list(made_private(settings)) == []
    assert mode(theirs) == mode(elsewhere) == 0o644


def test_a_file_whose_mode_cannot_be_changed_is_one_line(settings: Settings) -> None:
    with_credentials(settings)
    make_home(settings)
    settings.home.chmod(0o700)
    open_ones = [settings.home / "admin-token", settings.home / "milepost.db"]
    for path in open_ones:
        path.chmod(0o644)

    with read_only(settings.home):
        [line] = made_private(settings)

    assert line == (
        f"other accounts may open {open_ones[0]}, {open_ones[1]}, and chmod fails: "
        "Read-only file system"
    )


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def foldered(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def given_away(path: Path) -> None:
    give_away(path)


def opened(path: Path) -> None:
    path.chmod(0o640)


def huge(path: Path) -> None:
    path.write_bytes(b"s" * 5000)


def short(path: Path) -> None:
    path.write_text("short\n")


def binary(path: Path) -> None:
    path.write_bytes(b"\xff" * 40)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (linked, r"is a symbolic link; put the file itself there"),
        (dangling, r"is a symbolic link; put the file itself there"),
        (piped, r"is no regular file; remove it"),
        (foldered, r"is no regular file; remove it"),
        (given_away, rf"belongs to the user {ANOTHER}; chown \d+ "),
        (opened, r"is open to others \(mode 0640\); chmod 600 "),
        (huge, r"has 5000 bytes; at most 4096"),
        (short, r": .*"),
        (binary, r"has bytes that are no ASCII"),
    ],
)
def test_a_kept_credential_that_cannot_be_trusted_stops_the_start(
    settings: Settings, name: str, spoil: Callable[[Path], None], said: str
) -> None:
    with_credentials(settings)
    spoil(settings.home / name)

    with pytest.raises(InvalidSetting, match=rf"^MILEPOST_HOME: .*{name}:? ?{said}") as caught:
        with_credentials(settings)

    assert "\n" not in str(caught.value)


def test_the_first_start_prints_secrets_only_to_a_terminal(tmp_path: Path) -> None:
    def first_start(home: str, to: int) -> subprocess.Popen[bytes]:
        env = {"PATH": os.environ["PATH"], "MILEPOST_HOME": str(tmp_path / home)}
        return subprocess.Popen(
            [MILEPOST, "serve", "--port", str(free_port())],
            env=env,
            stdout=to,
            stderr=to,
            cwd=tmp_path,
        )

    terminal, its_end = pty.openpty()
    piped_out, its_other_end = os.pipe()
    for home, reading, writing in (("a", terminal, its_end), ("b", piped_out, its_other_end)):
        process = first_start(home, writing)
        said = b""
        try:
            while b"Ctrl-C stops." not in said:
                said += os.read(reading, 65536)
        finally:
            process.terminate()
            process.wait(60)
            os.close(reading)
            os.close(writing)
        for name in ("callback-secret", "admin-token"):
            file = tmp_path / home / name
            assert (file.read_bytes().strip() in said) == (home == "a")
            assert (bytes(file) in said) == (home == "b")

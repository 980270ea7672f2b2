"""What surrounds a job: its repository, its Python, its network, and settings that were copied."""

from __future__ import annotations

import shutil
import socket
import stat
import sys
from pathlib import Path

import pytest

from clients.reporter.milepost_report import MAX_ERROR, Spool, Word
from tests.clients.reporter.gate import answering, forward
from tests.clients.reporter.job import Job
from tests.clients.reporter.program import FILE, PATIENT, USUAL, WAITS

OF_A_REPOSITORY = ["queue", "calendar", "random", "resource", "signal", "select"]
"""Names that modules of a repository may have, and that modules of Python have."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the program in it, and with modules that are no program's business."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(FILE, folder / "milepost-report")
    for name in OF_A_REPOSITORY:
        (folder / f"{name}.py").write_text("raise SystemExit('a module of the repository')\n")
    return folder


def test_modules_of_the_repository_are_no_modules_of_the_program(
    job: Job, repository: Path
) -> None:
    """Python looks for modules beside a program first, and so in the root of the repository."""
    argv = [sys.executable, str(repository / "milepost-report"), "run", "--", "echo", "made"]

    done = job.report.ended(argv)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"made\n", b"")
    assert job.said() == ["provisioning", "running"]


def test_modules_of_the_folder_are_none_of_a_program_that_comes_by_a_pipe(
    job: Job, repository: Path
) -> None:
    piped = f"cd {repository} && {sys.executable} - step vm_created < milepost-report"

    done = job.report.ended(["sh", "-c", piped])

    assert (done.returncode, done.stderr) == (0, b"")
    assert job.said() == ["vm_created"]


@pytest.mark.parametrize("flags", [["-I"], ["-I", "-S"]])
def test_an_isolated_python_keeps_all_of_its_modules(job: Job, flags: list[str]) -> None:
    done = job.report.ended([sys.executable, *flags, str(FILE), "step", "vm_created"])

    assert (done.returncode, done.stderr) == (0, b"")
    assert job.said() == ["vm_created"]


def test_a_python_without_tls_says_so_in_a_line(job: Job, tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "ssl.py").write_text("raise ImportError('no module _ssl')\n")

    done = job.report(
        "step",
        "vm_created",
        PYTHONPATH=str(tmp_path / "modules"),
        MILEPOST_CALLBACK_URL="https://milepost.invalid/api/callbacks/job-1",
        **USUAL,
    )

    assert done.returncode == 0
    says = b"milepost-report: no answer: this Python was built without TLS; "
    assert done.stderr == says + WAITS


def test_an_answer_that_is_nested_without_end_is_no_receipt(job: Job) -> None:
    job.gate.way = answering("200 OK", b"[" * 60_000)

    done = job.report("step", "vm_created", **USUAL)

    assert done.returncode == 0
    assert done.stderr.endswith(b"is no receipt of Milepost; see MILEPOST_CALLBACK_URL; " + WAITS)
    assert done.stderr.count(b"\n") == 1
    job.gate.way = forward
    assert job.report.flush() == 0
    assert job.said() == ["vm_created"]


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("[::1]", "::1"),
        ("[::1]", "[::1]"),
        ("[::1]", "fe80::/10, ::/64"),
        ("127.0.0.1", "10.0.0.0/8,127.0.0.0/8"),
        ("127.0.0.1", " 127.0.0.1 "),
        ("127.0.0.1", "*"),
    ],
)
def test_a_host_that_is_excepted_is_asked_without_the_proxy(
    job: Job, host: str, no_proxy: str
) -> None:
    """As curl, which takes networks, and addresses of IPv6 without brackets."""
    job.gate.way = answering("503 Service Unavailable")
    url = f"http://{host}:1/api/callbacks/job-1"
    proxy = f"http://127.0.0.1:{job.gate.port}"

    done = job.report(
        "step",
        "vm_created",
        MILEPOST_CALLBACK_URL=url,
        http_proxy=proxy,
        NO_PROXY=no_proxy,
        **USUAL,
    )

    assert job.gate.seen == [], "the proxy was asked"
    assert done.stderr.startswith(b"milepost-report: no answer: ")


@pytest.mark.parametrize("no_proxy", ["10.0.0.0/8", "::1/128", "milepost.example", "127.0.0/x", ""])
def test_a_host_that_is_not_excepted_is_asked_through_the_proxy(job: Job, no_proxy: str) -> None:
    proxy = f"http://127.0.0.1:{job.gate.port}"

    done = job.report("step", "vm_created", http_proxy=proxy, NO_PROXY=no_proxy)

    assert done.stderr == b""
    [seen] = job.gate.seen
    assert seen.line.startswith("POST http://127.0.0.1:")


def test_a_proxy_that_does_not_answer_is_named(job: Job) -> None:
    """Whoever reads of a refused connection would look at the server, which nobody asked."""
    # A port that is bound, on which nobody listens, refuses connections, and no server gets it.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        proxy = f"http://me:word@127.0.0.1:{port}"
        done = job.report("step", "vm_created", http_proxy=proxy, **USUAL)

    said = f"Connection refused, through the proxy 127.0.0.1:{port}; ".encode() + WAITS
    assert done.stderr.endswith(said)


def test_a_proxy_that_answers_itself_is_named_and_milepost_behind_one_is_not(job: Job) -> None:
    proxied = {"http_proxy": f"http://127.0.0.1:{job.gate.port}", **USUAL}
    by_milepost = job.report("step", "vm_created", MILEPOST_CALLBACK_KEY="wrong", **proxied)
    job.gate.way = answering("403 Forbidden")

    by_proxy = job.report("step", "vm_created", **proxied)

    assert b"Milepost answered 401: " in by_milepost.stderr
    assert b"proxy" not in by_milepost.stderr
    said = f"answered 403: Forbidden, through the proxy 127.0.0.1:{job.gate.port}; it waits"
    assert said in by_proxy.stderr.decode()


@pytest.mark.parametrize("scheme", ["socks5", "https"])
def test_a_proxy_that_speaks_no_plain_http_is_named(job: Job, scheme: str) -> None:
    done = job.report("step", "vm_created", http_proxy=f"{scheme}://127.0.0.1:1080", **USUAL)

    assert done.returncode == 0
    said = f"no answer: a proxy must be http://, not {scheme}://; see http_proxy"
    assert said.encode() in done.stderr


def test_settings_may_end_with_a_carriage_return(job: Job) -> None:
    """As they do where somebody pasted them from Windows, or sourced a file of its."""
    settings = {
        "MILEPOST_CALLBACK_URL": f"{job.report.env['MILEPOST_CALLBACK_URL']}\r",
        "MILEPOST_CALLBACK_KEY": f"{job.key}\r",
        "MILEPOST_JOB_ID": f"{job.id}\r",
        "MILEPOST_RUN_ID": "run-1\r",
        "MILEPOST_RUN_ATTEMPT": "2\r",
        "MILEPOST_WAIT": f"{PATIENT['MILEPOST_WAIT']}\r",
    }

    done = job.report("step", "vm_created", **settings)

    assert (done.returncode, done.stderr) == (0, b"")
    shown = job.shown
    assert (shown["current_step"], shown["workflow_run_id"], shown["run_attempt"]) == (
        "vm_created",
        "run-1",
        2,
    )


@pytest.mark.parametrize("mark", ['"', "'"])
def test_a_key_in_quotation_marks_is_said_to_be_no_key(job: Job, mark: str) -> None:
    """A file for `docker run --env-file` keeps the marks that a shell would take away."""
    done = job.report("step", "vm_created", MILEPOST_CALLBACK_KEY=f"{mark}{job.key}{mark}")

    assert done.returncode == 0
    assert b"MILEPOST_CALLBACK_KEY begins with a quotation mark" in done.stderr
    assert job.gate.seen == []


def test_a_long_error_is_cut_after_the_key_has_left_it(job: Job) -> None:
    end = "x" * (MAX_ERROR - len(job.key) // 2)

    job.report("status", "failed", "--error", f"{job.key}{end}")

    assert job.events()[-1]["payload"]["error"] == f"***{end}"


@pytest.mark.parametrize("umask", ["0177", "0777"])
def test_a_umask_that_takes_the_owners_own_rights_loses_nothing(job: Job, umask: str) -> None:
    """Words could not wait on disk, in a folder that its own account may not enter."""
    call = f'umask {umask}; exec "$0" "$@"'
    done = job.report.ended(
        ["/bin/sh", "-c", call, *job.report.argv("step", "vm_created")],
        MILEPOST_CALLBACK_URL="http://127.0.0.1:1/api/callbacks/job-1",
        **USUAL,
    )

    [word] = job.report.waiting()
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert stat.S_IMODE(word.stat().st_mode) == 0o600
    folders = [folder for folder in word.parents if folder.is_relative_to(job.report.home)][:-1]
    assert len(folders) == 4
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


class Swapped(type(Path())):  # type: ignore[misc]  # what a path is on this system
    """A path at which somebody puts a link as soon as a folder is made."""

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        super().mkdir(mode, parents, exist_ok)
        self.rmdir()
        self.symlink_to(Path(self).parent / "passwd")


def test_no_mode_changes_behind_a_link_that_somebody_puts_in_place_of_the_folder(
    tmp_path: Path,
) -> None:
    """Where root reports, the owner of the folder above could take a file of the system away."""
    file = tmp_path / "passwd"
    file.touch()
    file.chmod(0o644)

    with pytest.raises(OSError, match="is not a folder of this account alone"):
        Spool(Swapped(tmp_path), "job").put(Word("id", b"{}"))

    assert stat.S_IMODE(file.stat().st_mode) == 0o644

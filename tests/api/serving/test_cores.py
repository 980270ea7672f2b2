"""Which core a worker gets, and that its threads stay there."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.serving.cores import OnOneCore, taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps threads on a core")
TAKE = """
import sys
from pathlib import Path
from api.serving.cores import taken
print(taken(Path(sys.argv[1]), 0, [4, 7]))
"""


def in_a_worker(folder: Path) -> str:
    """Return the core that a process got which has ended since."""
    return subprocess.run(
        [sys.executable, "-c", TAKE, str(folder)], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_workers_of_one_server_get_a_core_each_until_there_are_none_left(tmp_path: Path) -> None:
    got = [taken(tmp_path, 1, [2, 5, 6]) for _ in range(4)]

    assert got == [5, 6, 2, None]


def test_a_worker_that_ended_has_given_its_core_back(tmp_path: Path) -> None:
    assert in_a_worker(tmp_path) == "4"
    assert in_a_worker(tmp_path) == "4"


def test_where_there_is_nothing_to_choose_from_none_is_taken(tmp_path: Path) -> None:
    assert taken(tmp_path, 0, []) is None


@on_linux
def test_every_thread_that_answers_is_on_the_core_and_no_other_thread_is() -> None:
    core = max(os.sched_getaffinity(0))

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return [repr(os.sched_getaffinity(0)).encode()]

    wrapped = OnOneCore(application, core)
    before = os.sched_getaffinity(0)
    request: dict[str, Any] = {}
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: wrapped(request, lambda *_: lambda _: None), range(9)))

    assert answers == [[repr({core}).encode()]] * 9
    assert os.sched_getaffinity(0) == before


@on_linux
def test_a_core_that_is_not_to_be_had_makes_no_request_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrapped = OnOneCore(lambda environ, start: [b"answered"], core=2**15)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(wrapped, {}, lambda *_: lambda _: None).result()

    assert answer == [b"answered"]
    assert "cannot be kept on core 32768" in caplog.text

"""What the service manager hears: news once, signs of life in time, and nothing that blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.serving.processes.service_manager import ServiceManager
from tests.support.processes.service_manager import NotifySocket, abstract, at_path


@pytest.fixture(params=["path", "abstract"])
def hearing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """A service manager, at a socket of each kind."""
    with at_path(tmp_path) if request.param == "path" else abstract() as made:
        yield made


def manager(hearing: NotifySocket, **environment: str) -> ServiceManager:
    """Return the server's side, with a watchdog of 3 s."""
    given = {"NOTIFY_SOCKET": hearing.name, "WATCHDOG_USEC": "3000000", **environment}
    return ServiceManager(given)


def test_news_is_said_once(hearing: NotifySocket) -> None:
    said = manager(hearing)

    for _ in range(3):
        said.says("Preparing the database")
        said.is_ready()
        said.is_stopping(within_seconds=92)

    stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=92000000"
    assert hearing.all() == ["STATUS=Preparing the database", "READY=1", stopping]


def test_a_sign_of_life_is_sent_three_times_in_the_time_of_the_watchdog(
    hearing: NotifySocket,
) -> None:
    said = manager(hearing)

    for now in (10.0, 10.9, 11.0, 11.5, 12.1):
        said.is_alive(now)

    assert hearing.all() == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environment", [{"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}]
)
def test_without_a_watchdog_of_this_process_no_sign_is_sent(
    hearing: NotifySocket, environment: dict[str, str]
) -> None:
    manager(hearing, **environment).is_alive(10.0)

    assert hearing.all() == []


def test_the_watchdog_of_this_process_is_its_own(hearing: NotifySocket) -> None:
    manager(hearing, WATCHDOG_PID=str(os.getpid())).is_alive(10.0)

    assert hearing.all() == ["WATCHDOG=1"]


def test_what_could_not_be_said_is_said_later(tmp_path: Path) -> None:
    said = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    said.is_ready()
    said.says("1 of 1 workers answer")

    with at_path(tmp_path) as hearing:
        said.is_ready()
        said.says("1 of 1 workers answer")

        assert hearing.all() == ["READY=1", "STATUS=1 of 1 workers answer"]


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "notify"])
def test_another_address_is_no_socket(name: str) -> None:
    said = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})

    said.is_ready()
    said.is_alive(10.0)

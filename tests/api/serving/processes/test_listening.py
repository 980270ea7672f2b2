"""Where a server listens: what the system refuses, and the line that says what to set."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from api.serving.processes.listening import claimed, listens_on_loopback, refusal
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from tests.support.processes.server import free_port

NOT_HERE = "192.0.2.1"  # of a network for documentation (RFC 5737)


def settings(host: str, port: int) -> Settings:
    """Return settings that name where to listen."""
    return Settings(home=Path("unused"), database_url="sqlite:///", host=host, port=port)


def test_a_port_that_only_root_may_take_is_named_as_the_reason() -> None:
    refused = OSError(errno.EACCES, os.strerror(errno.EACCES))

    assert refusal(refused, settings("127.0.0.1", 80)) == (
        "MILEPOST_PORT: the system does not let this account listen on port 80; choose one of 1024 "
        "or more, and put a proxy in front"
    )


def test_an_address_that_this_machine_does_not_have_is_named_as_the_reason() -> None:
    with pytest.raises(InvalidSetting, match=f"MILEPOST_HOST: cannot listen on {NOT_HERE}: "):
        with claimed(settings(NOT_HERE, 8000)):
            pass


@pytest.mark.parametrize("open_still", [False, True], ids=["ended", "open"])
def test_connections_of_another_server_that_ended_are_not_in_the_way(open_still: bool) -> None:
    """The system remembers them: ended ones for a minute, in TIME_WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as others:
        port = others.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        connection = others.accept()[0]
    with closing(client), closing(connection):
        if not open_still:
            connection.close()
            assert client.recv(1) == b""
            client.close()

        with claimed(settings("127.0.0.1", port)) as sockets:
            assert len(sockets) == 1
            sockets[0].listen()
            with socket.create_connection(("127.0.0.1", port)):
                pass


@pytest.mark.parametrize("earlier", [False, True], ids=["new port", "port of an earlier server"])
def test_only_one_server_claims_a_port_though_none_listens_yet(earlier: bool) -> None:
    port = free_port()
    if earlier:
        with socket.create_server(("127.0.0.1", port)) as others:
            client = socket.create_connection(("127.0.0.1", port))
            others.accept()[0].close()
            assert client.recv(1) == b""
            client.close()

    with (
        claimed(settings("127.0.0.1", port)) as ours,
        claimed(settings("127.0.0.1", port)) as other,
    ):
        assert len(ours) == 1
        assert not other


def test_a_server_that_listens_keeps_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as others:
        with claimed(settings("127.0.0.1", others.getsockname()[1])) as sockets:
            assert not sockets


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("127.1", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),  # noqa: S104  nobody listens
        ("::", False),
        (NOT_HERE, False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, loopback: bool) -> None:
    assert listens_on_loopback(settings(host, 8000)) == loopback


def test_a_host_without_an_address_is_named_as_the_reason() -> None:
    with pytest.raises(InvalidSetting, match=r"MILEPOST_HOST: '256\.1\.1\.1': "):
        listens_on_loopback(settings("256.1.1.1", 8000))

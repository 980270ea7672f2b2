"""Where a server listens: what the system refuses, and the line that says what to set."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from api.serving.processes.listening import claimed, refusal
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting

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

"""A host that vanishes: a network of its own, whose cables are pulled without a word to either end.

It needs `ip` (Debian's iproute2) and the right to make networks, as root in a container has it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final, Literal

from tests.support.processes.server import MILEPOST

Cable = Literal["db", "web"]
NOBODY: Final = "02:00:00:00:00:09"
"""The address of a card that is not there."""


class Away:
    """A host with two cables to this one: to the database, and to those who ask its server."""

    def __init__(self) -> None:
        # The names of interfaces have 15 characters at most.
        self._name = f"mp{os.getpid() % 100_000}"
        self._nets = {"db": "10.213.7", "web": "10.213.8"}

    def start(self) -> Away:
        """Make the host, and plug its cables in."""
        _ip("netns", "add", self._name)
        for cable, net in self._nets.items():
            near, far = self._near(cable), self._far(cable)
            _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self._name)
            _ip("addr", "add", f"{net}.1/24", "dev", near)
            _ip("link", "set", near, "up")
            self._there("addr", "add", f"{net}.2/24", "dev", far)
            self._there("link", "set", far, "up")
        self._there("link", "set", "lo", "up")
        return self

    def here(self, cable: Cable) -> str:
        """Return this host's address at a cable."""
        return f"{self._nets[cable]}.1"

    def address(self, cable: Cable) -> str:
        """Return the other host's address."""
        return f"{self._nets[cable]}.2"

    @property
    def command(self) -> tuple[str | Path, ...]:
        """How the command is run there."""
        return ("ip", "netns", "exec", self._name, MILEPOST)

    def vanish(self, cable: Cable) -> None:
        """Let packets go nowhere from now on: both ends send to a card that is not there."""
        nowhere = ("lladdr", NOBODY, "dev")
        _ip("neigh", "replace", self.address(cable), *nowhere, self._near(cable))
        self._there("neigh", "replace", self.here(cable), *nowhere, self._far(cable))

    def come_back(self, cable: Cable) -> None:
        """Plug the cable in again."""
        _ip("neigh", "del", self.address(cable), "dev", self._near(cable))
        self._there("neigh", "del", self.here(cable), "dev", self._far(cable))

    def remove(self) -> None:
        """Remove the host with its cables."""
        _ip("netns", "del", self._name)

    def _near(self, cable: str) -> str:
        return f"{self._name}{cable}"

    def _far(self, cable: str) -> str:
        return f"{self._name}{cable}1"

    def _there(self, *arguments: str) -> None:
        _ip("-n", self._name, *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=30)  # noqa: S607

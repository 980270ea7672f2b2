"""The service manager: what systemd hears of a server that it runs as `Type=notify`.

Each message is one datagram to the socket that NOTIFY_SOCKET names; see sd_notify(3). A server that
no service manager started has no such variable, and says nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

SIGNS_A_PERIOD: Final = 3
"""How many signs of life are sent in the time after which the service manager would kill us."""
NEVER: Final = float("inf")


class ServiceManager:
    """Tells the service manager that the environment names about a server, and never blocks.

    A message that the service manager cannot take now counts as not said: callers repeat what is
    so, and only news is sent.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        period = _watchdog_seconds(environment)
        self._sign_seconds = period / SIGNS_A_PERIOD
        self._next_sign = 0.0 if period else NEVER
        self._status = ""
        self._said: set[str] = set()

    def says(self, status: str) -> None:
        """Say in words how the server is."""
        if status != self._status and self._send(f"STATUS={status}"):
            self._status = status

    def is_ready(self) -> None:
        """Say that the server takes callbacks."""
        self._say_once("READY=1")

    def is_alive(self, now: float) -> None:
        """Say that the server takes callbacks still; `now` is a monotonic time in seconds.

        Without this sign, the service manager kills the server at the end of WATCHDOG_USEC.
        """
        if now >= self._next_sign and self._send("WATCHDOG=1"):
            self._next_sign = now + self._sign_seconds

    def is_stopping(self, within_seconds: float) -> None:
        """Say that the server has begun to end, and how long that may take.

        A service manager that would kill it earlier then waits until that time.
        """
        self._say_once(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round(within_seconds * 1e6)}")

    def _say_once(self, message: str) -> None:
        if message not in self._said and self._send(message):
            self._said.add(message)

    def _send(self, message: str) -> bool:
        if not self._address:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            try:
                sending.sendto(message.encode(), self._address)
            except OSError:  # its queue is full, or it starts anew
                return False
        return True


def _address(name: str) -> str:
    """Return the address of a Unix socket, which may be abstract; none for another kind."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else ""


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Return after how many seconds without a sign of life we are killed; 0 if we never are."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    # A process that inherits the variables of another one must not speak for it.
    is_ours = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
    return int(microseconds) / 1e6 if is_ours and microseconds.isdecimal() else 0.0

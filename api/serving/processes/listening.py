"""Where a server listens, and whether somebody else listens there already."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from api.settings.settings import Settings, is_loopback
from api.settings.variables import InvalidSetting


@contextmanager
def claimed(settings: Settings) -> Iterator[Sequence[socket.socket]]:
    """Claim the port; yield a socket for each worker, or none if another process has the port.

    Raises `InvalidSetting` for an address that this machine does not have. The system gives each of
    the sockets its share of the connections, and would share the port with another server without
    a word.
    """
    family, kind, protocol, address = resolve(settings)
    with ExitStack() as stack:
        claim = stack.enter_context(socket.socket(family, kind, protocol))
        try:
            _bind(claim, address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InvalidSetting(refusal(error, settings)) from error
            yield ()
            return
        # From now on our own sockets may share the port with this one, which never listens. Another
        # server's claim, which is bound before it shares, may not.
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sockets = []
        for _ in range(settings.workers):
            ours = stack.enter_context(socket.socket(family, kind, protocol))
            # Connections inherit these: they will not be in the way of the next server's claim, and
            # an answer, which is written in one piece, waits for no other.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ours.bind(address)
            sockets.append(ours)
        yield sockets


def _bind(claim: socket.socket, address: Any) -> None:
    """Bind the claim; connections of an earlier server are not in its way.

    The system remembers such a connection for a minute after its end, whatever server it was of.
    The claim shares the port only if it must: where the first socket on a port shares it, Linux
    lets every other claim in that does, until one of them listens.
    """
    try:
        claim.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claim.bind(address)


def refusal(error: OSError, settings: Settings) -> str:
    """Return the line that says why the system does not let a server listen, and what to set."""
    if error.errno == errno.EACCES:
        return (
            f"MILEPOST_PORT: the system does not let this account listen on port {settings.port}; "
            "choose one of 1024 or more, and put a proxy in front"
        )
    return f"MILEPOST_HOST: cannot listen on {settings.host}: {error.strerror}"


def listens_on_loopback(settings: Settings) -> bool:
    """Tell whether only this machine can connect, by the address that is found for the host.

    Raises `InvalidSetting` if there is none.
    """
    return is_loopback(resolve(settings)[3][0])


def resolve(settings: Settings) -> tuple[int, int, int, Any]:
    """Return family, type, protocol and address to listen on; raise `InvalidSetting`."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InvalidSetting(f"MILEPOST_HOST: {settings.host!r}: {error}") from error
    return (*found[:3], found[4])

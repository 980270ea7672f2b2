"""Where a server listens, and whether somebody else listens there already."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.settings.settings import Settings
from api.settings.variables import InvalidSetting


@contextmanager
def claimed(settings: Settings) -> Iterator[bool]:
    """Claim the port for this server and its workers; yield False if another process has it.

    Raises `InvalidSetting` for an address that this machine does not have. Granian's sockets would
    share the port with another server without a word, and each would get a part of the requests.
    """
    family, kind, protocol, address = resolve(settings)
    with socket.socket(family, kind, protocol) as claim:
        # Connections of an earlier server that are not forgotten yet must not be in the way.
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            claim.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = f"MILEPOST_HOST: cannot listen on {settings.host}: {error.strerror}"
                raise InvalidSetting(reason) from error
            is_ours = False
        else:
            is_ours = True
            # From now on our workers may bind the port beside this socket, which never listens.
            # Another server's claim, which is bound before it shares, may not.
            claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield is_ours


def resolve(settings: Settings) -> tuple[int, int, int, Any]:
    """Return family, type, protocol and address to listen on; raise `InvalidSetting`."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InvalidSetting(f"MILEPOST_HOST: {settings.host!r}: {error}") from error
    return (*found[:3], found[4])

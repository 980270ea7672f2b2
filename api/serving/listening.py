"""Where a server listens, and whether somebody else listens there already."""

from __future__ import annotations

import errno
import socket
from typing import Any

from api.settings.settings import Settings
from api.settings.variables import InvalidSetting


def is_taken(settings: Settings) -> bool:
    """Tell whether somebody listens on the port already; raise `InvalidSetting` for no address.

    Granian would share it silently, and each would get a part of the requests.
    """
    family, kind, protocol, address = resolve(settings)
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            reason = f"MILEPOST_HOST: cannot listen on {settings.host}: {error.strerror}"
            raise InvalidSetting(reason) from error
    return False


def resolve(settings: Settings) -> tuple[int, int, int, Any]:
    """Return family, type, protocol and address to listen on; raise `InvalidSetting`."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InvalidSetting(f"MILEPOST_HOST: {settings.host!r}: {error}") from error
    return (*found[:3], found[4])

"""A proxy: the publisher sends items to its control port, in order, and skips none."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Final
from urllib.parse import urlsplit

import msgspec

from api.http.grip.instructions import Item

log = logging.getLogger("milepost.publishing")

MOST_BYTES: Final = 900_000
"""How many bytes one request has at most: Pushpin takes 1,000,000."""
TIMEOUT_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
"""How long the publisher waits for a proxy that is away."""


class Proxy:
    """The control port of one Pushpin."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        parts = urlsplit(uri)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = f"{parts.path}/publish/"
        self._is_away = False

    def publish(self, items: Sequence[Item], goes_on: Callable[[], bool], stop: Event) -> bool:
        """Publish items; try again while the proxy is away and `goes_on` says so.

        Return whether the proxy has all of them.
        """
        for body in _bodies(items):
            while fault := self._fault_of(body):
                if not self._is_away:
                    log.warning("held streams wait, because %s is away: %s", self.uri, fault)
                self._is_away = True
                stop.wait(AGAIN_SECONDS)
                if not goes_on():
                    return False
        if self._is_away:
            log.info("%s is back", self.uri)
        self._is_away = False
        return True

    def _fault_of(self, body: bytes) -> str:
        """Send a request; return what went wrong, or an empty text."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            said = answer.read(200)
        except (OSError, http.client.HTTPException) as error:
            return str(error) or repr(error)
        finally:
            connection.close()
        return "" if answer.status == 200 else f"it answers {answer.status} {said!r}"


def _bodies(items: Sequence[Item]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for item in items:
        encoded = msgspec.json.encode(item)
        if len(encoded) > MOST_BYTES:
            # A hint makes the proxy ask for the event.
            encoded = msgspec.json.encode(msgspec.structs.replace(item, formats=HINT))
        if gathered and size + len(encoded) > MOST_BYTES:
            yield _body(gathered)
            gathered, size = [], 0
        gathered.append(encoded)
        size += len(encoded) + 1
    if gathered:
        yield _body(gathered)


def _body(encoded: Sequence[bytes]) -> bytes:
    return b'{"items":[' + b",".join(encoded) + b"]}"


HINT: Final = {"http-stream": {"action": "hint"}}

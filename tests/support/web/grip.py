"""A proxy that holds streams, as Milepost sees it: its signatures, and its control port."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = b"sixteen or more bytes"
LATER = 4_000_000_000


def encoded(part: object) -> str:
    """Return a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def signature(key: bytes = KEY, expires: float = LATER, alg: str = "HS256") -> str:
    """Return what the proxy sends in `Grip-Sig`."""
    head = encoded({"typ": "JWT", "alg": alg})
    signed = f"{head}.{encoded({'iss': 'pushpin', 'exp': expires})}"
    mac = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256"))
    return f"{signed}.{mac.rstrip(b'=').decode()}"


class Control:
    """A control port: it notes what is published, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.items: list[dict[str, Any]] = []
        self.refused = 0
        self.sizes: list[int] = []
        self.uri = ""

    @property
    def ids(self) -> list[tuple[str, str | None, str | None]]:
        """The channel, the id and the id before of each item."""
        return [(each["channel"], each.get("id"), each.get("prev-id")) for each in self.items]

    def take(self, body: bytes) -> int:
        """Take a request; return the status of its answer."""
        if self.status != 200:
            self.refused += 1
            return self.status
        self.sizes.append(len(body))
        self.items += json.loads(body)["items"]
        return 200


@contextmanager
def control_port() -> Iterator[Control]:
    """Listen until the context is left."""
    control = Control()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/publish/"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(control.take(body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    control.uri = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield control
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

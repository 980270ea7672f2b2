"""A web server of files, as a product has one: it is of another origin than Milepost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

MIME_TYPES: Final = {"html": "text/html; charset=utf-8", "js": "text/javascript"}


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[str]:
    """Serve the files, each at its name, and yield the origin. The mapping may change meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].lstrip("/")
            self.send_response(200 if name in files else 404)
            self.send_header("Content-Type", MIME_TYPES.get(name.rpartition(".")[2], "text/plain"))
            self.end_headers()
            self.wfile.write(files.get(name, b""))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A real nginx, with the configuration that a page of the documentation shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.processes.lacking import lacking
from tests.support.processes.server import PATIENCE_SECONDS, free_port, port_is_free

# One process that ends with the test, and no file outside of its folder.
AROUND: Final = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{shown}
}}
"""


@contextmanager
def nginx(folder: Path, shown: str) -> Iterator[int]:
    """Run nginx with this part of its configuration, which listens at port 80; yield its port."""
    # Debian has it where only administrators look.
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        lacking("the page of proxies is tested with nginx, which is not installed")
    port = free_port()
    assert "listen 80;" in shown
    folder.mkdir()
    file = folder / "nginx.conf"
    shown = shown.replace("listen 80;", f"listen 127.0.0.1:{port};")
    file.write_text(AROUND.format(folder=folder, shown=shown))
    with (folder / "output").open("wb") as log:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(file)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while port_is_free(port):
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, (folder / "output").read_text()
            time.sleep(0.02)  # another process is waited for, up to the deadline
        yield port
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)

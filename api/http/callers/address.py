"""The address at which the client of a request reached this server.

Werkzeug knows no host whose name has an underscore, as services of Compose have: to it, the URL of
such a request is `http:/`. It writes a name such as `xn--e1afmkfd.example` in letters beyond ASCII,
which few clients take in a URL.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import request

from api.http.callers.proxies import HOST

USUAL_PORTS = {"http": ":80", "https": ":443"}
MAX_PORT = 65_535


def base_url(public_url: str) -> str:
    """Return the configured URL, else the one that the client reached; no slash is at its end."""
    root = quote(request.root_path.rstrip("/"), safe="/")
    return public_url or f"{request.scheme}://{host()}{root}"


def host() -> str:
    """Return the host and the port that the client named, as browsers write them in an Origin.

    A client that names none, or none that can be in a URL, gets the address of the server's socket.
    """
    named = request.headers.get("Host", "").lower().removesuffix(":")
    if not HOST.fullmatch(named) or _port_of(named) > MAX_PORT:
        name, port = request.environ["SERVER_NAME"], request.environ["SERVER_PORT"]
        named = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return named.removesuffix(USUAL_PORTS.get(request.scheme, ""))


def _port_of(named: str) -> int:
    port = named.rpartition("]")[2].partition(":")[2]
    return int(port) if port else 0

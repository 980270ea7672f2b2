"""The origins whose pages may read, and those whose pages may show a page of ours in a frame.

See `api.http.cross_origin` and `api.pages.policy`.
"""

from __future__ import annotations

import re
from typing import Final

from api.settings.variables import InvalidSetting, Variables

ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?"
)
USUAL: Final = {"http": 80, "https": 443}
"""The ports that browsers leave out of an origin."""
MAX_PORT: Final = 65_535
ANY_PAGE: Final = ("*",)
NO_PAGE: Final = ("'none'",)
"""What `frame-ancestors` of a policy has for all pages and for none."""


def cors_origins(env: Variables) -> tuple[str, ...]:
    """Return the origins whose pages may read, each as a browser sends it."""
    return _origins(env, "MILEPOST_CORS_ORIGINS")


def frame_origins(env: Variables) -> tuple[str, ...]:
    """Return whose pages may show a link's page in a frame, as a policy of content names them."""
    name = "MILEPOST_FRAME_ORIGINS"
    match env.get(name):
        case None | "*":
            return ANY_PAGE
        case "none":
            return NO_PAGE
        case _:
            return _origins(env, name)


def _origins(env: Variables, name: str) -> tuple[str, ...]:
    given = env.listed(name)
    for origin in given:
        if not _is_origin(origin):
            # What a browser sends is compared with these texts: another spelling would never match.
            raise InvalidSetting(
                f"{name}: {origin[:50]!r} must be an origin as browsers send it, such as "
                "https://app.example: in lower case, without a path, and without :443 or :80"
            )
    return given


def _is_origin(text: str) -> bool:
    matched = ORIGIN.fullmatch(text)
    if matched is None:
        return False
    port = int(matched["port"] or 0)
    return port <= MAX_PORT and port != USUAL[matched["scheme"]]

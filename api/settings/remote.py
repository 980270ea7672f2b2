"""Where commands find a running server, and the token that they show it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from api.settings.checks.web_urls import as_browsers_write, is_url
from api.settings.config import from_environment
from api.settings.credentials import file_of, with_stored_admin_token
from api.settings.settings import Settings, is_loopback
from api.settings.variables import InvalidSetting, Variables

LIKE: Final = "http://127.0.0.1:8000"


class Remote(NamedTuple):
    """A server's URL, the token for it, and the variable or the file that has the token."""

    url: str
    token: str
    source: str


def remote_from_environment(
    url: str | None, environment: Mapping[str, str] | None = None
) -> Remote:
    """Return the server at `url`, or else that of the environment.

    `MILEPOST_URL` and `MILEPOST_TOKEN` go before the settings of a server of one's own, which are
    its address and its admin token. No other server gets that token. Raises `InvalidSetting`.
    """
    env = Variables(os.environ if environment is None else environment)
    settings = from_environment(environment)
    named = env.get("MILEPOST_URL")
    if named and not is_url(named):
        raise InvalidSetting(f"MILEPOST_URL: {named!r} is not like {LIKE}")
    where = url or named or settings.url
    if token := env.get("MILEPOST_TOKEN"):
        if not all("!" <= character <= "~" for character in token):
            raise InvalidSetting("MILEPOST_TOKEN: must be ASCII characters without spaces")
        return Remote(where, token, env.source("MILEPOST_TOKEN"))
    if not _is_ours(where, settings):
        raise InvalidSetting(
            f"MILEPOST_TOKEN: unset, and the admin token of this home is sent to this machine and "
            f"to MILEPOST_PUBLIC_URL only, not to {where}; set it or MILEPOST_TOKEN_FILE"
        )
    if settings.admin_token:
        return Remote(where, settings.admin_token, env.source("MILEPOST_ADMIN_TOKEN"))
    stored = with_stored_admin_token(settings)
    if not stored.admin_token:
        raise InvalidSetting(
            f"MILEPOST_TOKEN: unset, and there is no admin token in {settings.home}; set it or "
            "MILEPOST_TOKEN_FILE, or run this command where `milepost serve` runs, or set "
            "MILEPOST_HOME, MILEPOST_ADMIN_TOKEN or MILEPOST_ADMIN_TOKEN_FILE"
        )
    return Remote(where, stored.admin_token, str(file_of(stored, "admin token")))


def _is_ours(url: str, settings: Settings) -> bool:
    host = urlsplit(url).hostname or ""
    # Whatever answers on this machine could read the token's file as well, or is a proxy of ours.
    return is_loopback(host) or url == settings.url or as_browsers_write(url) == settings.public_url

"""Reading the settings from the environment, once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.settings.checks.grip import grip
from api.settings.checks.named_senders import named_senders
from api.settings.checks.origins import cors_origins, frame_origins
from api.settings.checks.path_prefix import path_prefix
from api.settings.checks.secrets import (
    admin_token,
    callback_secrets,
    job_key_secrets,
    link_secrets,
)
from api.settings.checks.validation import (
    checkpoint_keys,
    checkpoint_trusted,
    database_url,
    public_url,
    store_settings,
    trusted_proxies,
    workflows_folder,
)
from api.settings.settings import CONNECTIONS_PER_ADDRESS, DRAIN_SECONDS, Settings
from api.settings.variables import InvalidSetting, Variables
from domain.log.connections import CONNECTIONS

MAX_CONNECTIONS: Final = 1_000_000
MAX_DRAIN_SECONDS: Final = 600


def from_environment(
    environment: Mapping[str, str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
) -> Settings:
    """Return the settings; raise `InvalidSetting`. Write no file: see `api.settings.credentials`.

    `host`, `port` and `workers` are command line options; they override the environment.
    """
    env = Variables(os.environ if environment is None else environment)
    home = _home(env)
    shared, of_jobs = callback_secrets(env), job_key_secrets(env)
    grip_control_uris, grip_key = grip(env)
    drain_seconds = env.integer("MILEPOST_DRAIN_SECONDS", 0, MAX_DRAIN_SECONDS)
    settings = Settings(
        home=home,
        database_url=database_url(env.get("MILEPOST_DATABASE_URL"), home),
        database_connections=env.integer("MILEPOST_DATABASE_CONNECTIONS", 1, 1_000) or CONNECTIONS,
        callback_secrets=shared,
        takes_shared_secret=env.choice("MILEPOST_SHARED_SECRET", ("on", "off")) == "on",
        job_key_secrets=of_jobs,
        named_senders=named_senders(env.get("MILEPOST_SENDERS"), (*shared, *of_jobs)),
        link_secrets=link_secrets(env),
        public_url=public_url(env.get("MILEPOST_PUBLIC_URL")),
        dated_signatures=env.choice("MILEPOST_SIGNATURES", ("all", "dated")) == "dated",
        admin_token=admin_token(env.get("MILEPOST_ADMIN_TOKEN")),
        checkpoint_keys=checkpoint_keys(env.get("MILEPOST_CHECKPOINT_KEY")),
        checkpoint_trusted=checkpoint_trusted(env.get("MILEPOST_CHECKPOINT_TRUSTED")),
        workflows=workflows_folder(env.get("MILEPOST_WORKFLOWS")),
        store=store_settings(env),
        host=host or env.get("MILEPOST_HOST") or "127.0.0.1",
        port=port or env.integer("MILEPOST_PORT", 1, 65535) or 8000,
        workers=workers or env.integer("MILEPOST_WORKERS", 1, 64) or 1,
        connections=env.integer("MILEPOST_CONNECTIONS", 16, MAX_CONNECTIONS),
        connections_per_address=env.integer("MILEPOST_CONNECTIONS_PER_ADDRESS", 1, MAX_CONNECTIONS)
        or CONNECTIONS_PER_ADDRESS,
        public_badges=env.choice("MILEPOST_PUBLIC_BADGES", ("off", "on")) == "on",
        trusted_proxies=trusted_proxies(env),
        cors_origins=cors_origins(env),
        frame_origins=frame_origins(env),
        path_prefix=path_prefix(env.get("MILEPOST_PATH_PREFIX")),
        grip_control_uris=grip_control_uris,
        grip_key=grip_key,
        log_format=env.choice("MILEPOST_LOG_FORMAT", ("text", "json")),
        drain_seconds=DRAIN_SECONDS if drain_seconds is None else drain_seconds,
        doubts=env.doubts(),
    )
    if settings.workers > 1 and settings.database == "sqlite":
        raise InvalidSetting(
            "MILEPOST_WORKERS: SQLite allows one worker; for more, set MILEPOST_DATABASE_URL to a "
            "postgresql:// URL"
        )
    return settings


def _home(env: Variables) -> Path:
    given = env.get("MILEPOST_HOME") or ".milepost"
    if given.startswith(("~", "$")):
        raise InvalidSetting(
            f"MILEPOST_HOME: only a shell replaces {given.partition('/')[0]} in {given}; write the "
            "whole path (or ./ before it, if the folder is called so)"
        )
    home = Path(given)
    try:
        home.absolute()
    except OSError as error:
        raise InvalidSetting(
            f"MILEPOST_HOME: {home} is looked for in the folder that the command runs in, and that "
            f"folder is gone ({error.strerror}); change to another folder (cd), or write the whole "
            "path"
        ) from error
    return home

"""Which jobs a list has."""

from __future__ import annotations

from datetime import datetime

import msgspec


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list; None does not filter. `before` is a `first_position`."""

    agent_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    before: int | None = None
    limit: int = 50


class AttentionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs may need somebody at the time `now`; None does not filter.

    `after` is the `attention_rank` and `first_position` of the last job of the page before.
    """

    now: datetime
    agent_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    after: tuple[int, int] | None = None
    limit: int = 50

"""Pages of the list of jobs, each with the cursor of the page after it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from api.errors import InvalidFields
from api.representations.job import attention_body
from api.routes.jobs.showing import body_now
from api.wiring import Services
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.views.attention import candidate, needing


class Page(NamedTuple):
    """The bodies of a page's jobs; the cursor is None on the last page."""

    jobs: list[dict[str, Any]]
    cursor: str | None


def newest_first(
    filters: dict[str, Any], limit: int, cursor: str | None, services: Services
) -> Page:
    """Return a page of all jobs that pass the filters."""
    before = _before(cursor) if cursor else None
    page, more = services.reader.page(JobFilter(**filters, before=before, limit=limit))
    following = f"p{page[-1].first_position}" if more else None
    return Page([body_now(instance, services) for instance in page], following)


def worst_first(
    filters: dict[str, Any], limit: int, cursor: str | None, services: Services
) -> Page:
    """Return a page of the jobs that pass the filters and need somebody now, and why."""
    now = services.now()
    after = _after(cursor) if cursor else None
    wanted = AttentionFilter(**filters, now=now, after=after, limit=limit)
    page, more = services.reader.attention(wanted)
    bodies = [
        attention_body(instance, reasons, services.workflows, now, services.reader.first_start)
        for instance, reasons in needing(page, services.workflows, now)
    ]
    last = candidate(page[-1], services.workflows) if more else None
    return Page(bodies, f"r{last.rank}p{page[-1].first_position}" if last else None)


def _before(cursor: str) -> int:
    return _numbers(r"p?([0-9]{1,18})", cursor)[0]


def _after(cursor: str) -> tuple[int, int]:
    rank, first_position = _numbers(r"r([0-9]{1,3})p([0-9]{1,18})", cursor)
    return rank, first_position


def _numbers(pattern: str, cursor: str) -> tuple[int, ...]:
    if matched := re.fullmatch(pattern, cursor):
        return tuple(map(int, matched.groups()))
    raise InvalidFields({"cursor": ["Not a cursor from a Link header."]})

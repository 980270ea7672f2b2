"""Lists of jobs for a page: what needs somebody, what is in progress, what came last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from api.pages.content.jobs import Shown, shown_job
from api.pages.content.search import (
    MOST_CHARACTERS,
    MOST_READ,
    READ_AT_ONCE,
    Fits,
    ended,
    mentioning,
)
from api.schemas.ids import MAX_ID, is_printable
from api.schemas.statuses import ONLY_OUTCOMES, status_and_outcome
from api.tokens import Principal
from api.wiring import Services
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.reading.reader import NotRebuiltYet, Page
from projections.views.attention import candidate, needing
from projections.views.instance import INSTANCE_STATUSES, Instance

PAGE_JOBS: Final = 50
"""How many jobs a list has at most, on one page."""
IN_PROGRESS: Final = ("provisioning", "stopping", "pending")
MOST_COUNTED: Final = 1_000
"""A count ends with this number: a page must not count a million jobs."""
ATTENTION: Final = "attention"
NAMES: Final = ("q", "status", "agent", "user")
"""The filters, by their names in the address."""
LOOK_AGAIN: Final = timedelta(seconds=30)
"""How soon a job that a list lacks is noticed if it comes to need somebody."""
CURSOR: Final = re.compile(r"(?:r([0-9]{1,3}))?p([0-9]{1,18})")


class Asked(msgspec.Struct, frozen=True):
    """What the address of the page asks for; an empty text filters nothing.

    `q` is the id of a job, an agent or a user, or a text that a job mentions. `status` may also be
    `attention`, or one of `ONLY_OUTCOMES`.
    """

    q: str = ""
    status: str = ""
    agent: str = ""
    user: str = ""
    cursor: tuple[int | None, int] | None = None

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, by their names in the address."""
        return {name: value for name in NAMES if (value := getattr(self, name))}

    def without(self, name: str) -> dict[str, str]:
        """Return the filters without one of them."""
        return {each: value for each, value in self.filters.items() if each != name}

    def following(self, cursor: str) -> dict[str, str]:
        """Return the filters with the cursor of the next page."""
        return {**self.filters, "cursor": cursor}

    @property
    def is_an_overview(self) -> bool:
        """True if the address asks for nothing, so that the page shows its three lists."""
        return not self.filters and self.cursor is None


def asked_by(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for; ignore what no filter understands, as an old link may have."""
    q, status, agent, user = (query.get(name, "").strip()[:MAX_ID] for name in NAMES)
    known = status if status in (*INSTANCE_STATUSES, *ONLY_OUTCOMES, ATTENTION) else ""
    cursor = CURSOR.fullmatch(query.get("cursor", ""))
    if cursor is None:
        return Asked(q, known, agent, user)
    rank, position = cursor.groups()
    return Asked(q, known, agent, user, (int(rank) if rank else None, int(position)))


def turning(lists: Sequence[Sequence[Shown]], now: datetime, *, is_whole: bool) -> datetime | None:
    """Return when time alone makes another page of some lists; None for never.

    A list that is not whole lacks jobs of which that is not known: look again soon.
    """
    times = [job["turns_at"] for jobs in lists for job in jobs if job["turns_at"]]
    if not is_whole:
        times.append(now + LOOK_AGAIN)
    return min(times, default=None)


class Lists:
    """The lists that one caller may see at one time."""

    def __init__(self, services: Services, caller: Principal, now: datetime) -> None:
        self._services, self._caller, self._now = services, caller, now

    def overview(self) -> dict[str, Any]:
        """Return the three lists; no job is in two of them."""
        needy = self.found(Asked(status=ATTENTION))
        listed = {job["id"] for job in needy["found"]}
        by_status = [self._read({"status": status}) for status in IN_PROGRESS]
        newest = self._read({})
        over = [each for each in newest.instances if each.status not in IN_PROGRESS]
        busy = [each for some in by_status for each in some.instances]
        shown_busy = [self._shown(each) for each in busy if each.job_id not in listed]
        recent = [self._shown(each) for each in over if each.job_id not in listed]
        more_busy = any(some.more for some in by_status)
        shown = (needy["found"], shown_busy, recent)
        return {
            "needy": needy,
            "busy": shown_busy,
            "more_busy": more_busy,
            "recent": recent,
            "turns_at": turning(shown, self._now, is_whole=not more_busy),
            "cursor": _cursor(newest),
            "is_empty": not newest.instances,
        }

    def filtered(self, asked: Asked) -> dict[str, Any]:
        """Return the one list that is asked for, and when time alone makes another one of it."""
        shown = self.found(asked)
        is_whole = asked.status != ATTENTION
        return {**shown, "turns_at": turning((shown["found"],), self._now, is_whole=is_whole)}

    def found(self, asked: Asked) -> dict[str, Any]:
        """Return the one list that is asked for, and the cursor of its next page."""
        if not all(map(is_printable, (asked.q, asked.agent, asked.user))):
            # No id has such characters, and PostgreSQL refuses one of them with an error.
            return {"found": [], "cursor": None}
        if asked.status == ATTENTION:
            return self._needing_somebody(asked)
        before = asked.cursor[1] if asked.cursor else None
        status, outcome = status_and_outcome(asked.status)
        filters = {"agent_id": asked.agent, "user_id": asked.user, "status": status}
        given = {name: value for name, value in filters.items() if value}
        if not outcome:
            ordered = self._with_ids(asked.q, given, before)
            if ordered.instances or not asked.q:
                shown = [self._shown(each) for each in ordered.instances]
                return {"found": shown, "cursor": _cursor(ordered)}
        fits = [mentioning(asked.q)] if asked.q else []
        fits += [ended(outcome)] if outcome else []
        return self._looked_through({**given, "before": before}, fits)

    def _with_ids(self, q: str, filters: Mapping[str, str], before: int | None) -> Page:
        """Return the jobs with an id, that of an agent or of a user, too; an empty id is any."""
        pages = [self._read({**wanted, "before": before}) for wanted in _meant(q, filters)]
        # What is older than the end of a page that goes on belongs to the next page.
        end = max((page.instances[-1].first_position for page in pages if page.more), default=0)
        every = [job for page in pages for job in page.instances if job.first_position >= end]
        if q and before is None and (exact := self._exact(q, filters)):
            every.append(exact)
        distinct = {each.job_id: each for each in every}.values()
        ordered = sorted(distinct, key=lambda each: -each.first_position)
        return Page(ordered[:PAGE_JOBS], end > 0 or len(ordered) > PAGE_JOBS)

    def _looked_through(self, filters: Mapping[str, Any], fits: Sequence[Fits]) -> dict[str, Any]:
        """Return those of the next jobs that fit; the cursor goes on after the last one read."""
        jobs = self._measured(filters)
        found, read, characters, last = list[Instance](), 0, 0, 0
        for job, length in jobs:
            read, characters, last = read + 1, characters + length, job.first_position
            if all(each(job) for each in fits):
                found.append(job)
            if len(found) == PAGE_JOBS or read == MOST_READ or characters >= MOST_CHARACTERS:
                break
        return {
            "found": [self._shown(each) for each in found],
            "cursor": f"p{last}" if next(jobs, None) else None,
            "looked_through": read,
        }

    def counts(self) -> dict[str, int]:
        """Return how many jobs have each status; a count ends with `MOST_COUNTED`."""
        count, owner = self._services.reader.count, self._caller.user_id
        return {
            status: count(JobFilter(user_id=owner, status=status, limit=MOST_COUNTED))
            for status in INSTANCE_STATUSES
        }

    def _needing_somebody(self, asked: Asked) -> dict[str, Any]:
        if not self._caller.sees(asked.user or self._caller.user_id):
            return {"found": [], "cursor": None}
        rank, position = asked.cursor or (None, 0)
        wanted = AttentionFilter(
            now=self._now,
            agent_id=asked.agent or None,
            user_id=asked.user or self._caller.user_id,
            after=None if rank is None else (rank, position),
            limit=PAGE_JOBS,
        )
        workflows = self._services.workflows
        try:
            page, more = self._services.reader.attention(wanted)
        except NotRebuiltYet:
            return {"found": [], "cursor": None, "is_behind": True}
        last = candidate(page[-1], workflows) if more else None
        return {
            "found": [
                shown_job(instance, self._services, self._now, reasons)
                for instance, reasons in needing(page, workflows, self._now)
            ],
            "cursor": f"r{last.rank}p{page[-1].first_position}" if last else None,
        }

    def _read(self, filters: Mapping[str, Any]) -> Page:
        wanted = self._wanted(filters, PAGE_JOBS)
        return self._services.reader.page(wanted) if wanted else Page((), more=False)

    def _measured(self, filters: Mapping[str, Any]) -> Iterator[tuple[Instance, int]]:
        wanted = self._wanted(filters, READ_AT_ONCE)
        return self._services.reader.measured_instances(wanted) if wanted else iter(())

    def _wanted(self, filters: Mapping[str, Any], limit: int) -> JobFilter | None:
        """Return the filter of the jobs that the caller may see; None if these are no jobs."""
        owner = self._caller.user_id
        if not self._caller.sees(filters.get("user_id", owner)):
            return None
        return JobFilter(**{"user_id": owner, **filters, "limit": limit})

    def _exact(self, job_id: str, filters: Mapping[str, str]) -> Instance | None:
        job = self._services.reader.present(job_id)
        if job is None or not self._caller.sees(job.user_id):
            return None
        fits = all(getattr(job, name) == value for name, value in filters.items())
        return job if fits else None

    def _shown(self, instance: Instance) -> Shown:
        return shown_job(instance, self._services, self._now)


def _meant(q: str, filters: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the filters under which a searched id is an agent's or a user's."""
    if not q:
        return [dict(filters)]
    names = [name for name in ("agent_id", "user_id") if filters.get(name) in (None, q)]
    return [{**filters, name: q} for name in names]


def _cursor(page: Page) -> str | None:
    return f"p{page.instances[-1].first_position}" if page.more else None

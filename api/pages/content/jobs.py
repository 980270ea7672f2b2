"""Jobs as pages show them: one in a list, and one on its own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import url_for

from api.badges.badge import state_of
from api.badges.icon import icon_of
from api.pages.content.orders import offers, remedies
from api.pages.content.stepper import stages
from api.pages.words import announced, detail, title, where
from api.representations.job import health_of, job_body
from api.representations.timeline import timeline_body
from api.schemas.ids import OUT_OF_PATHS
from api.wiring import Services
from projections.reading.entries import JobState
from projections.views.attention import attention, next_attention
from projections.views.instance import Instance
from projections.views.reasons import Reason
from projections.views.timeline import Timeline

Shown = dict[str, Any]
"""A job's representation, with `state`, `where`, `href`, `clock`, `alive` and `reasons` for a page.

`alive` is its health, with words that tick; None in the past. `remedies` are the orders that end
a reason. `turns_at` is when time alone makes another job of it; None for never."""


def shown_job(
    instance: Instance, services: Services, now: datetime, reasons: Sequence[Reason] = ()
) -> Shown:
    """Return everything that Milepost knows about a job now, and what a page adds to it."""
    body = job_body(instance, services.workflows, now, services.reader.first_start)
    alive = health_of(instance, services.workflows, now, services.reader.first_start)
    turns = (alive.changes_at, next_attention(instance, services.workflows, now))
    return {
        **_for_a_page(body),
        "alive": alive,
        "reasons": reasons,
        "remedies": remedies(reasons, offers(instance, services.workflows)) if reasons else (),
        "turns_at": min((time for time in turns if time), default=None),
    }


def present_content(newest: Instance, services: Services, now: datetime) -> dict[str, Any]:
    """Return what a page shows of a job now: the job, its UI steps and its attempts."""
    timeline = services.reader.timeline(newest.job_id)
    assert timeline is not None  # the job has an event
    whole = services.history.with_whole_errors(newest)
    job = shown_job(whole, services, now, attention(newest, services.workflows, now))
    return _content(job, timeline, services, now)


def past_content(state: JobState, services: Services, now: datetime) -> dict[str, Any]:
    """Return what a page shows of a job as it was; the past has no health, and nothing ticks."""
    past = services.history.with_whole_errors(state.instance)
    body = job_body(past, services.workflows)
    job = {**_for_a_page(body), "alive": None, "reasons": (), "remedies": (), "turns_at": None}
    return _content(job, state.timeline, services, past.updated_at or now)


def _content(job: Shown, timeline: Timeline, services: Services, now: datetime) -> dict[str, Any]:
    body = timeline_body(services.history.with_whole_errors(timeline), services.workflows)
    workflow = services.workflows.recorded(timeline.workflow)
    return {
        "job": job,
        "title": title(job),
        "icon": icon_of(job),
        "detail": detail(job),
        "announced": announced(job),
        "turns_at": job["turns_at"],
        "stages": stages(job["steps"], body, workflow),
        "timeline": body,
        "now": now,
    }


def _for_a_page(body: dict[str, Any]) -> Shown:
    return {
        **body,
        "state": state_of(body),
        "where": where(body),
        "href": address_of(body["id"]),
        "clock": _clock(body),
    }


def address_of(job_id: str) -> str | None:
    """Return the address of a job's page; None for an id that no browser can ask for."""
    return None if job_id in OUT_OF_PATHS else url_for("job.show", job_id=job_id)


def _clock(body: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Return what is counted for the job, from when, and until when; None goes on."""
    began = body["claimed_at"] or body["waiting_since"] or body["created_at"]
    match body["status"]:
        case "pending":
            return "waiting", began, None
        case "provisioning":
            return "for", began, None
        case "running" | "stopping":
            return "up", body["started_at"], None
        case "stopped":
            return "was up", body["started_at"], body["stopped_at"]
        case _:
            return "after", began, body["completed_at"]

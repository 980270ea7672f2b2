"""One job: as it is now, and what differs between two points of its history."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final

from api.http.answers import in_json, of_json
from api.http.callers.visibility import visible_job
from api.http.etags import etag, is_known, lasting, not_modified, tagged
from api.http.messages import Answer, Door, Request, Watch
from api.http.waiting import applied, preferred_wait
from api.recent_bodies import Made
from api.representations.difference import difference_body, is_settled
from api.representations.job import job_body, rollback_is_held, varying
from api.routes.recent import recent_body
from api.wiring import Services
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance

HELD: Final = {None: None, False: "open", True: "held"}
"""What a tag says of a rollback."""


async def present(request: Request, door: Door, job_id: str) -> Answer:
    """Show a job now; with a preference to wait, when it is not what the client has any more."""
    services, caller = door.services, await door.admit(request, "read")
    instance = visible_job(await door.job(job_id), caller)
    now, first_start = services.now(), services.reader.first_start
    tag, waited = _tag(instance, services, now, first_start), False
    seconds = preferred_wait(request.header)
    if seconds and is_known(tag, request.header):
        watch = Watch(caller, instance.position, job_id=job_id)
        if waited := await door.changed(watch, seconds):
            instance = visible_job(await door.job(job_id), caller)
            now = services.now()
            tag = _tag(instance, services, now, first_start)
    headers = [*tagged(tag), *([applied(seconds)] if waited else ())]
    if known := not_modified(tag, headers, request.header):
        return known
    workflows, made = services.workflows, Made(instance, tag, first_start)
    make = partial(job_body, workflows=workflows, now=now, first_start=first_start)
    body = await recent_body(request.path, made, make, door, caller)
    return of_json(body, headers=headers)


def _tag(
    instance: Instance, services: Services, now: datetime, first_start: datetime | None
) -> str:
    _, health_changes = varying(instance, services.workflows, now, first_start)
    # Another job's callback changes this, and not the position.
    held = HELD[rollback_is_held(instance)]
    return etag(instance.position, services.workflows.fingerprint, health_changes, held)


def body_now(instance: Instance, services: Services) -> dict[str, Any]:
    """Return the body of a job as it is now."""
    return job_body(instance, services.workflows, services.now(), services.reader.first_start)


def difference(
    start: PointInHistory, end: PointInHistory, newest: Instance, services: Services
) -> Answer:
    """Show what changed in a job between two points of its history."""
    history = services.history
    before, after = (history.instance(newest, place) for place in (start, end))
    tag = etag(after.position, services.workflows.fingerprint, before.position)
    settled = is_settled(start, before, newest) and is_settled(end, after, newest)
    headers = lasting(tag) if settled else tagged(tag)
    if known := not_modified(tag, headers):
        return known
    whole = history.with_whole_errors
    body = difference_body(
        whole(before), whole(after), lambda each: job_body(each, services.workflows)
    )
    return in_json(body, headers=headers)

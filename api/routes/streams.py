"""Streams: server-sent events of a job, of an agent's newest job, and of all jobs.

The front streams. Behind Flask, each stream would hold a thread, so Flask refuses it.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qsl

from flask import Blueprint as PlainBlueprint
from flask import Response, current_app
from marshmallow import Schema, ValidationError
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from api.errors import AgentNotFound, InvalidFields, InvalidToken, MissingScope
from api.http import event_stream
from api.http.event_stream import LAST_EVENT_ID, resumed_after
from api.http.flask_side.app import MOST_PARAMETERS, App
from api.http.flask_side.blueprint import LINKED, TEXT, Blueprint
from api.http.flask_side.door import through_flask
from api.http.grip.held_link import opened
from api.http.grip.instructions import channel_of, last_id
from api.http.grip.signature import came_through
from api.http.messages import Answer, Door, Request, Watch
from api.routes.jobs.showing import present
from api.schemas.queries import AllStreamQuerySchema, StreamQuerySchema
from api.wiring import Services
from domain.errors import JobNotFound

bp = Blueprint("streams", __name__, description="Server-sent events of jobs, as they happen")
embedded = PlainBlueprint("embedded_streams", __name__)
"""The streams of embedded pages, which are for their script alone."""

CONTENT = (
    "Server-sent events: `id` is a position of the log, `data` the same JSON as that of the GET"
)
FULL = "There are as many streams as the server may have; Retry-After says when to try again"
REFUSED = "This server answers through Flask alone, and cannot stream"


@bp.route("/api/jobs/<id:job_id>/stream", operation="stream_job")
@bp.needs("read", by=LINKED)
@bp.arguments(StreamQuerySchema, location="query")
@bp.parameter(LAST_EVENT_ID)
@bp.response(200, TEXT, content_type=event_stream.MIME_TYPE, description=CONTENT)
@bp.alt_response(204, description="The job has ended, and you have seen all of its events")
@bp.problem(404, "No such job, or not yours")
@bp.problem(501, REFUSED)
@bp.problem(503, FULL)
def show_job(query: dict[str, Any], job_id: str) -> Answer:
    """Stream a job: its state now, then its state after each further event.

    With Last-Event-ID or `after`, the stream goes on after that position: with each event that you
    missed, in the log's order. After the event of a job's end comes an event `end`, and the stream
    closes.
    """
    return through_flask(of_job, job_id=job_id)


@bp.route("/api/agents/<id:agent_id>/stream", operation="stream_instance")
@bp.needs("read", by=LINKED)
@bp.arguments(StreamQuerySchema, location="query")
@bp.parameter(LAST_EVENT_ID)
@bp.response(200, TEXT, content_type=event_stream.MIME_TYPE, description=CONTENT)
@bp.problem(404, "No such agent, or not yours")
@bp.problem(501, REFUSED)
@bp.problem(503, FULL)
def show_agent(query: dict[str, Any], agent_id: str) -> Answer:
    """Stream the instance of an agent's newest job; go on with the next job once it is registered.

    See the stream of a job. This one does not end.
    """
    return through_flask(of_agent, agent_id=agent_id)


@bp.route("/api/stream", operation="stream_jobs")
@bp.needs("read")
@bp.arguments(AllStreamQuerySchema, location="query")
@bp.parameter(LAST_EVENT_ID)
@bp.response(200, TEXT, content_type=event_stream.MIME_TYPE, description=CONTENT)
@bp.problem(501, REFUSED)
@bp.problem(503, FULL)
def show_all(query: dict[str, Any]) -> Answer:
    """Stream all jobs that you may see: the job after each event, in the log's order.

    With `job_id` and `agent_id`, stream these jobs and the jobs of these agents. An id that you may
    not see, or that nobody has yet, is no error: its events come once there are some for you.

    Without Last-Event-ID or `after`, the stream begins with the next event.
    """
    return through_flask(of_all)


@embedded.get("/embed/streams/jobs/<id:job_id>")
def show_embedded_job(job_id: str) -> Response:
    """Tell the embedded page of a job when to look again."""
    return _response(through_flask(of_embedded_job, job_id=job_id))


@embedded.get("/embed/streams/agents/<id:agent_id>")
def show_embedded_agent(agent_id: str) -> Response:
    """Tell the embedded page of an agent when to look again."""
    return _response(through_flask(of_embedded_agent, agent_id=agent_id))


def _response(answer: Answer) -> Response:
    return cast(App, current_app).make_response(answer)


async def of_job(request: Request, door: Door, job_id: str) -> Answer:
    """Stream a job; show the job with the longer id that this path may spell, if there is one."""
    caller = await door.admit(request, "read")
    after, _ = _asked(request, StreamQuerySchema())
    try:
        return await _streamed(request, door, Watch(caller, after, job_id=job_id))
    except JobNotFound:
        return await present(request, door, f"{job_id}/stream")


async def of_agent(request: Request, door: Door, agent_id: str) -> Answer:
    """Stream the instance of an agent's newest job."""
    caller = await door.admit(request, "read")
    after, _ = _asked(request, StreamQuerySchema())
    return await _streamed(request, door, Watch(caller, after, agent_id=agent_id))


async def of_embedded_job(request: Request, door: Door, job_id: str) -> Answer:
    """Stream when something happens to a job, and not what: the page shows no error."""
    caller = await door.admit(request, "read")
    after, _ = _asked(request, StreamQuerySchema())
    return await door.watch(Watch(caller, after, job_id=job_id, only_when=True))


async def of_embedded_agent(request: Request, door: Door, agent_id: str) -> Answer:
    """Stream when something happens to an agent's newest job, and not what."""
    caller = await door.admit(request, "read")
    after, _ = _asked(request, StreamQuerySchema())
    return await door.watch(Watch(caller, after, agent_id=agent_id, only_when=True))


async def held(request: Request, door: Door, sealed: str) -> Answer:
    """Tell a proxy what a stream that it holds may have missed; end the stream of nobody."""
    services = door.services
    stream = opened(sealed, services.settings.grip_key)
    if stream is None or not _is_of_proxy(request, services):
        raise NotFound
    channel = channel_of(stream.job_id, stream.agent_id)
    sent = last_id(request.header("Grip-Last"), channel)
    try:
        return await door.hold_on(stream, sent or 0)
    except (InvalidToken, MissingScope, JobNotFound, AgentNotFound):
        # Without an instruction, the proxy ends the stream. It would repeat a request that fails.
        return Answer(200, event_stream.HEADERS)


async def _streamed(request: Request, door: Door, watch: Watch) -> Answer:
    # The end of a session, unlike that of a token, is not published.
    is_held = request.method == "GET" and not watch.caller.session
    if is_held and _is_of_proxy(request, door.services):
        return await door.hold(watch)
    return await door.watch(watch)


def _is_of_proxy(request: Request, services: Services) -> bool:
    key = services.settings.grip_key
    return bool(key) and came_through(request.header, key, services.clock())


async def of_all(request: Request, door: Door) -> Answer:
    """Stream all jobs that the caller may see."""
    caller = await door.admit(request, "read")
    after, filters = _asked(request, AllStreamQuerySchema())
    jobs = frozenset(filters.pop("job_ids", ()))
    agents = frozenset(filters.pop("agent_ids", ()))
    return await door.watch(Watch(caller, after, filters=filters, jobs=jobs, agents=agents))


def _asked(request: Request, schema: Schema) -> tuple[int | None, dict[str, Any]]:
    """Return the position that the reader has seen, and the filters; raise `InvalidFields`."""
    try:
        given = parse_qsl(request.query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        fault = [f"A stream has at most {MOST_PARAMETERS} parameters."]
        raise InvalidFields({"_schema": fault}) from None
    asked = MultiDict(given)
    try:
        query = schema.load(MultiDictProxy(asked, schema))
    except ValidationError as error:
        faults: Any = error.messages
        raise InvalidFields(faults) from None
    return resumed_after(request.header, query.pop("after", None)), query

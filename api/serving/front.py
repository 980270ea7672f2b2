"""The front: granian's asynchronous interface (RSGI), which never waits on a thread.

1. Read the body, at most `MAX_BODY_BYTES` of it, within `BODY_SECONDS`.
2. A hot route: run its view on the event loop; it pauses at the loop's door.
3. Any other route: hand the whole request to Flask, in a bounded pool of threads.
4. Send the answer in one piece. An error becomes the same problem document as behind Flask.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from api.http.bodies import MAX_BODY_BYTES
from api.http.flask_side.app import CAREFUL, App
from api.http.headers import UNREADABLE
from api.http.messages import Request
from api.http.problems import problem_of
from api.routes.hot import match
from api.serving.deadlines import Deadlines
from api.serving.flask_behind import FlaskBehind, environ_of
from api.serving.loop_door import LoopDoor
from api.serving.threads import BoundedThreads

if TYPE_CHECKING:
    from granian.rsgi import Scope

    from api.wiring import Services

BODY_SECONDS: Final = 15.0
"""How long a client may take to send a body."""

_lower = cache(str.lower)


class Front:
    """An RSGI application over Flask's and the hot routes."""

    def __init__(
        self,
        application: App,
        services: Services,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._application = application
        self._services = services
        self._body_seconds = body_seconds

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop of this worker; granian calls this before the first request."""
        self._threads = BoundedThreads(loop)
        self._door = LoopDoor(self._services, loop, self._threads)
        self._flask = FlaskBehind(self._application, self._threads)
        self._bodies = Deadlines[_Reading](
            loop, self._body_seconds, lambda reading: reading.is_done, _Reading.expire
        )

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of the threads; granian calls this after the last request."""
        self._door.close()
        self._threads.close()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        """Answer a request."""
        method, path, query = scope.method, scope.path, scope.query_string
        headers = _Headers(scope)
        try:
            body = b"" if method in BODILESS else await self._body(headers, protocol)
            if hot := match(method, path, query):
                view, parameters = hot
                request = Request(method, path, query, headers.get, body)
                answer = await view(request, self._door, **parameters)
                sent = [*answer.headers, *CAREFUL]
            else:
                fields = headers.readable()
                environ = environ_of(method, path, query, fields, body, scope)
                answer = await self._flask.answer(environ)
                sent = list(answer.headers)
        except Exception as error:
            # As Flask does: whatever a view raises becomes a problem document.
            answer = problem_of(error, method, path)
            sent = [*answer.headers, *CAREFUL]
        if self._services.is_draining():
            # So a client does not send its next request into a port that closes.
            sent.append(("Connection", "close"))
        if answer.body:
            protocol.response_bytes(answer.status, sent, answer.body)
        else:
            protocol.response_empty(answer.status, sent)

    async def _body(self, headers: _Headers, protocol: Any) -> bytes:
        length = headers.get("content-length")
        if length == "0":
            return b""
        reading = _Reading()
        self._bodies.add(reading)
        try:
            if length is None:
                return await _chunked(protocol)
            # The server has refused what is no number.
            if len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:
                raise RequestEntityTooLarge
            return cast(bytes, await protocol())
        except asyncio.CancelledError:
            if not reading.is_expired:
                raise
            raise RequestTimeout from None
        except RuntimeError as error:  # granian's: the client has gone in the middle
            raise ClientDisconnected from error
        finally:
            reading.is_done = True
            reading.task = None  # a slow body before this one must not keep this request's task


BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_LENGTH_DIGITS: Final = 12


class _Reading:
    """A body that is being read by the present task."""

    __slots__ = ("is_done", "is_expired", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = asyncio.current_task()
        self.is_done = False
        self.is_expired = False

    def expire(self) -> None:
        self.is_expired = True
        if self.task:
            self.task.cancel()


async def _chunked(protocol: Any) -> bytes:
    body = b""
    async for chunk in protocol:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
    return body


class _Headers:
    """The headers of a request; one that comes several times is joined with commas."""

    __slots__ = ("_fields", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._fields: dict[str, str] = {}
        fields = self._fields
        for name, value in scope.headers.items():
            fields[name] = f"{fields[name]},{value}" if name in fields else value

    def get(self, name: str) -> str | None:
        """See `Headers`; `UNREADABLE` for a value that is not ASCII."""
        name = _lower(name)
        value = self._fields.get(name)
        if value is None and name in self._scope.headers:
            return UNREADABLE
        return value

    def readable(self) -> dict[str, str]:
        """Return every header; `UNREADABLE` for a value that is not ASCII."""
        return {**dict.fromkeys(self._scope.headers.keys(), UNREADABLE), **self._fields}

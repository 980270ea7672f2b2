"""Flask behind the front, with real threads and a real loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from werkzeug.exceptions import ClientDisconnected

from api.http.messages import Answer
from api.serving.flask_behind import FlaskBehind, environ_of
from api.serving.http1.incoming import Ends, Incoming
from api.serving.threads import BoundedThreads

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ENDS = Ends(("127.0.0.1", 50000), ("127.0.0.1", 8000))


def answered(*, is_gone: bool) -> tuple[Answer, list[str]]:
    """Return the answer to a request, and the paths that the application was asked for."""
    asked = []

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        start("200 OK", [("X-Port", environ["SERVER_PORT"])])
        return [environ["wsgi.input"].read()]

    async def ask() -> Answer:
        threads = BoundedThreads(asyncio.get_running_loop())
        incoming = Incoming("POST", b"/path", "1.1", {}, b"body", ENDS)
        incoming.is_gone = is_gone
        try:
            environ = environ_of(incoming, b"/path", b"", incoming.body)
            return await FlaskBehind(application, threads).answer(environ, incoming, "somebody")
        except ClientDisconnected as gone:
            return Answer(gone.code)
        finally:
            threads.close()

    return asyncio.run(ask()), asked


@pytest.mark.parametrize(
    ("is_gone", "answer", "paths"),
    [(False, Answer(200, [("X-Port", "8000")], b"body"), ["/path"]), (True, Answer(400), [])],
)
def test_work_is_done_for_a_client_that_waits_and_for_no_other(
    is_gone: bool, answer: Answer, paths: list[str]
) -> None:
    assert answered(is_gone=is_gone) == (answer, paths)

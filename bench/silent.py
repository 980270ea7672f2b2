"""`python -m bench.silent`: `milepost serve`, with one more route that answers and falls silent.

`GET /silent` sends the head of its answer at once, and nothing after it for as long as the client
is there, as an event stream of which nothing is new. The tables must exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from api.serving import server, worker
from api.serving.draining import Phases
from api.settings.config import from_environment
from api.settings.credentials import with_credentials
from api.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from granian.rsgi import Scope

    from api.serving.front import Front

PATH = "/silent"
HEADERS = [("content-type", "text/event-stream"), ("cache-control", "no-store")]


class FrontWithSilence:
    """The front, an RSGI application, and the silent route before it."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.__rsgi_init__ = front.__rsgi_init__
        self.__rsgi_del__ = front.__rsgi_del__

    def __rsgi__(self, scope: Scope, protocol: Any) -> Coroutine[Any, Any, None]:
        """Answer a request."""
        if scope.path == PATH:
            return _silent(protocol)
        return self._front.__rsgi__(scope, protocol)


async def _silent(protocol: Any) -> None:
    # The answer ends when the transport is let go.
    transport = protocol.response_stream(200, HEADERS)
    await protocol.client_disconnect()
    del transport


def load(settings: Settings, parent: int, phases: Phases, *, wsgi: bool) -> FrontWithSilence:
    """Return the application of a worker; see `worker.load`."""
    return FrontWithSilence(worker.load(settings, parent, phases, wsgi=wsgi))


@click.command()
@click.option("--port", type=int, required=True)
def main(port: int) -> None:
    """Serve with the silent route."""
    settings, _ = with_credentials(from_environment(port=port))
    server.run(settings, project=True, load=load)


if __name__ == "__main__":
    main()

"""`python -m bench.silent`: `milepost serve`, with one more route that answers and falls silent.

`GET /silent` sends the head of its answer at once, and nothing after it for as long as the client
is there, as an event stream of which nothing is new. The tables must exist.
"""

from __future__ import annotations

from typing import Final

import click

from api.serving.http1.bounds.pace import NEVER
from api.serving.http1.connection import Connection
from api.serving.http1.incoming import Incoming
from api.serving.logs import log_to_stderr
from api.serving.processes import server
from api.serving.processes.listening import claimed
from api.serving.processes.service_manager import ServiceManager
from api.settings.config import from_environment
from api.settings.credentials import with_credentials

PATH: Final = "/silent"
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\r\n"
)


class ConnectionWithSilence(Connection):
    """A connection whose answer to the silent route does not end."""

    def take(self, incoming: Incoming, *, is_last: bool) -> None:
        """Answer a request, or begin to."""
        if incoming.target == PATH.encode():
            self.due = NEVER
            self._transport.write(HEAD)
        else:
            super().take(incoming, is_last=is_last)


@click.command()
@click.option("--port", type=int, required=True)
def main(port: int) -> None:
    """Serve with the silent route."""
    settings, _ = with_credentials(from_environment(port=port))
    log_to_stderr(settings.log_format)
    with claimed(settings) as sockets:
        connections = server.connections_of(settings)
        kind = ConnectionWithSilence
        server.run(
            settings,
            sockets,
            connections=connections,
            project=True,
            kind=kind,
            manager=ServiceManager({}),
        )


if __name__ == "__main__":
    main()

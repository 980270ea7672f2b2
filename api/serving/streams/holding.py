"""Holding: a proxy holds the connections of streams, and Milepost only answers requests (GRIP).

1. The first answer has the events that the reader missed, and asks the proxy to hold the stream.
2. The publisher sends later events to the proxy; see `api.serving.publishing`.
3. Whenever the proxy may have missed an event, it asks at the stream's link; see `held_link`.

A held stream costs this process nothing, and has the same events in the same order as any other.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from typing import Final, NamedTuple

from eventsourcing.persistence import PersistenceError

from api.http import event_stream
from api.http.callers.access import granted
from api.http.grip import instructions
from api.http.grip.held_link import Held, holder, path_of
from api.http.messages import Answer, Watch
from api.serving.gathering import Gathering
from api.serving.streams.documents import Documents
from api.serving.streams.missed.pages import Asked, Page, Pages
from api.sessions import issuer_of
from api.wiring import Services
from domain.errors import MilepostError
from domain.writing.batching import Batching

PATIENCE_SECONDS: Final = 30.0
"""How long an answer may take. Thousands of readers may connect at once."""
MOST_WAITING: Final = 20_000
"""How many requests may wait: all readers of a proxy connect again when the proxy restarts."""


class GoesOn(NamedTuple):
    """A held stream that the proxy has sent up to a position."""

    held: Held
    after: int


class Holding:
    """Answers for streams of a job, or of an agent, that a proxy holds."""

    def __init__(self, services: Services, loop: AbstractEventLoop) -> None:
        self._settings = services.settings
        self._services = services
        self._pages = Pages(services, Documents(services))
        self._reading = Batching[Watch | GoesOn, tuple[Watch, Page]](
            self._read,
            name="held streams",
            max_waiting=MOST_WAITING,
            patience=PATIENCE_SECONDS,
        )
        self._asking = Gathering(loop, self._reading)

    async def begin(self, watch: Watch) -> Answer:
        """See `Door.hold`."""
        _, page = await self._asking.ask(watch)
        if _has_ended(watch, page) and not page.blocks:
            return Answer(204, [("Cache-Control", "no-store")])
        return self._answer(watch, page, event_stream.retry())

    async def go_on(self, held: Held, after: int) -> Answer:
        """See `Door.hold_on`."""
        watch, page = await self._asking.ask(GoesOn(held, after))
        return self._answer(watch, page)

    def close(self) -> None:
        """End the thread."""
        self._reading.close()

    def _read(self, asked: Sequence[Watch | GoesOn]) -> Sequence[tuple[Watch, Page] | Exception]:
        watches = [each if isinstance(each, Watch) else self._watch(each) for each in asked]
        known = [Asked(each, each.after) for each in watches if isinstance(each, Watch)]
        pages = iter(self._pages.read(known))
        answers: list[tuple[Watch, Page] | Exception] = []
        for watch in watches:
            if isinstance(watch, Exception):
                answers.append(watch)
            else:
                page = next(pages)
                answers.append(page if isinstance(page, Exception) else (watch, page))
        return answers

    def _watch(self, asked: GoesOn) -> Watch | Exception:
        held = asked.held
        try:
            caller = granted(holder(held, self._services), "read")
        except (MilepostError, PersistenceError) as error:  # the other streams of the batch go on
            return error
        return Watch(caller, max(held.after, asked.after), held.job_id, held.agent_id)

    def _answer(self, watch: Watch, page: Page, begin: bytes = b"") -> Answer:
        assert page.shown  # only streams of one job or agent are held
        body = begin + b"".join(block for _, block in page.blocks)
        if _has_ended(watch, page):
            if page.blocks:
                outcome = page.shown.attempt.outcome
                body += event_stream.end(page.shown.position, page.shown.status, outcome)
            # Without an instruction, the proxy ends the stream.
            return Answer(200, event_stream.HEADERS, body)
        held = Held(
            issuer_of(watch.caller.token_id, self._settings.admin_token),
            page.upto,
            watch.job_id,
            watch.agent_id,
            watch.caller.until,
        )
        # The proxy asks here. A prefix that was taken off before it would lead nowhere.
        link = self._settings.path_prefix + path_of(held, self._settings.grip_key)
        if page.more:
            return Answer(200, [*event_stream.HEADERS, *instructions.go_on(link)], body)
        channel = instructions.channel_of(watch.job_id, watch.agent_id)
        # An earlier position than the reader has seen would make the proxy send events again.
        hold = instructions.hold(channel, page.upto, watch.caller, link)
        return Answer(200, [*event_stream.HEADERS, *hold], body)


def _has_ended(watch: Watch, page: Page) -> bool:
    # The stream of an agent goes on with the next job.
    return bool(watch.job_id is not None and page.shown and page.shown.has_ended and not page.more)

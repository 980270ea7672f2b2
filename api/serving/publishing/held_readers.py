"""Held readers: each event becomes items for the channels of its job and of its agent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Final

from eventsourcing.persistence import PersistenceError

from api.http import event_stream
from api.http.grip import instructions
from api.http.grip.instructions import Item
from api.serving.publishing.proxy import Proxy
from api.serving.streams.documents import Documents
from api.serving.streams.missed.resuming import REGISTERED
from api.wiring import Services
from domain.errors import Unavailable
from domain.log.stored import Stored
from projections.reading.follower import News
from projections.views.instance import Instance

log = logging.getLogger("milepost.publishing")

MOST_AGENTS: Final = 50_000
"""For how many agents the newest job is cached."""


class HeldReaders:
    """The readers whose streams a proxy holds; see `projections.reading.follower.Audience`."""

    def __init__(self, services: Services, proxy: Proxy, is_active: Callable[[], bool]) -> None:
        self._is_active = is_active
        self._has_given_up = False
        self.published = 0
        """The position up to which the proxy has all events."""
        self._documents = Documents(services)
        self._reader = services.reader
        self._proxy = proxy
        self._newest: dict[str, str] = {}
        self._stop = Event()

    def begin(self, published: int) -> None:
        """Begin after a position."""
        self.published, self._has_given_up = published, False

    def is_there(self) -> bool:
        """See `Audience.is_there`: False after an item that the proxy did not take.

        The publisher then begins anew with that item.
        """
        return not self._has_given_up and self._is_active()

    def wants(self, event: Stored) -> bool:
        """See `Audience.wants`: the publisher does not know which jobs are watched."""
        return True

    def deliver(self, news: Sequence[News], position: int) -> None:
        """See `Audience.deliver`."""
        last = {each.instance.job_id: each.event.position for each in news}
        items = [
            item
            for each in news
            for item in self._items_or_ends(
                each, is_last=last[each.instance.job_id] == each.event.position
            )
        ]
        if self._proxy.publish(items, self.is_there, self._stop):
            self.published = position
        else:
            self._has_given_up = True

    def stop(self) -> None:
        """Wait for the proxy no longer."""
        self._stop.set()

    def _items_or_ends(self, news: News, *, is_last: bool) -> Sequence[Item]:
        try:
            return list(self._items(news, is_last=is_last))
        except (PersistenceError, Unavailable):
            raise
        except Exception:
            # A bug about one job ends the streams of that job. All other streams go on.
            log.exception("no document of %r", news.instance.job_id)
            return list(_ends(news.instance))

    def _items(self, news: News, *, is_last: bool) -> Iterator[Item]:
        at, job = news.event.position, news.instance
        channel = instructions.of_job(job.job_id)
        block = event_stream.event(at, self._documents.job(job))
        if job.has_ended and is_last:
            block += event_stream.end(at, job.status, job.attempt.outcome)
        yield instructions.content(channel, at, news.before, block)
        if job.has_ended and is_last:
            yield instructions.end(channel, at)
        if job.agent_id:
            yield from self._of_agent(news, job.agent_id)

    def _of_agent(self, news: News, agent_id: str) -> Iterator[Item]:
        at, job = news.event.position, news.instance
        channel = instructions.of_agent(agent_id)
        if news.event.topic == REGISTERED:
            self._remember(agent_id, job.job_id)
            yield instructions.ask_again(channel, at)
        elif self._newest_of(agent_id) == job.job_id:
            block = event_stream.event(at, self._documents.instance(job))
            yield instructions.content(channel, at, news.before, block)

    def _newest_of(self, agent_id: str) -> str | None:
        if agent_id not in self._newest and (job := self._reader.instance_of(agent_id)):
            self._remember(agent_id, job.job_id)
        return self._newest.get(agent_id)

    def _remember(self, agent_id: str, job_id: str) -> None:
        if len(self._newest) >= MOST_AGENTS:
            self._newest.clear()
        self._newest[agent_id] = job_id


def _ends(job: Instance) -> Iterator[Item]:
    yield instructions.close(instructions.of_job(job.job_id))
    if job.agent_id:
        yield instructions.close(instructions.of_agent(job.agent_id))

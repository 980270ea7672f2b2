"""Delivering: the follower's thread encodes events, and the event loop writes them to streams.

Each document is encoded once for all streams. A slice of events is one call to the event loop.
"""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from eventsourcing.persistence import PersistenceError

from api.http import event_stream
from api.serving.streams.channels import Channels, Delivery
from api.serving.streams.documents import Documents
from domain.log.stored import Stored
from projections.reading.follower import News
from projections.views.instance import Instance

log = logging.getLogger("milepost.streams")

RECEIVED_SECONDS: Final = 10.0
"""How long the follower waits for an event loop that is too busy to take a delivery."""


class Delivering:
    """Delivers to the channels of an event loop; see `projections.reading.follower.Audience`."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        channels: Channels,
        documents: Documents,
        is_there: Callable[[], bool],
    ) -> None:
        self.is_there = is_there
        self.wants: Callable[[Stored], bool] = channels.wants
        self._loop = loop
        self._channels = channels
        self._documents = documents

    def deliver(self, news: Sequence[News], position: int) -> None:
        """See `Audience.deliver`."""
        deliveries = [self._delivery(each) for each in news]
        received = Event()

        def receive() -> None:
            self._channels.deliver(deliveries, position)
            received.set()

        self._loop.call_soon_threadsafe(receive)
        received.wait(RECEIVED_SECONDS)

    def _delivery(self, news: News) -> Delivery:
        job_id, channels, documents = news.instance.job_id, self._channels, self._documents
        return Delivery(
            news,
            self._block(news, documents.job) if channels.wants_job_of(news.instance) else b"",
            self._block(news, documents.instance) if job_id in channels.instances else b"",
        )

    def _block(self, news: News, document: Callable[[Instance], bytes]) -> bytes | None:
        try:
            return event_stream.event(news.event.position, document(news.instance))
        except PersistenceError:
            raise
        except Exception:
            # A bug about one job ends the streams of that job. All other streams go on.
            log.exception("no document of %r", news.instance.job_id)
            return None

"""Channels: the streams of one event loop, grouped by what they watch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from api.serving.streams.missed.pages import Page, admits
from api.serving.streams.missed.resuming import REGISTERED
from api.serving.streams.stream import Stream
from domain.log.stored import Stored
from projections.reading.follower import News
from projections.views.instance import Instance

MOST_PAGES: Final = 4
"""How many pages the streams of one job share at most, each with fewer than this many blocks."""


class Delivery(NamedTuple):
    """An event for the event loop, with a block for each kind of document that a stream carries.

    A block is empty if no stream carries it, and None if its document could not be made.
    """

    news: News
    of_job: bytes | None
    of_instance: bytes | None


class Channel:
    """The streams that watch one job or agent, and the position of the newest delivered event.

    Further streams can begin with one of `pages`; the key is the position that their readers have
    seen. Each page was read while this channel existed, so every later event is delivered.
    """

    __slots__ = ("newest", "pages", "streams")

    def __init__(self) -> None:
        self.streams: dict[Stream, None] = {}
        self.pages: dict[int, Page] = {}
        self.newest = 0

    def page(self, after: int | None) -> Page | None:
        """Return a shared page, if no event was delivered after it."""
        page = None if after is None else self.pages.get(after)
        return page if page and self.newest <= page.upto else None

    def share(self, after: int | None, page: Page | Exception) -> None:
        """Let other streams begin with a page, if it is small and no page follows it."""
        # A page for a reader without a position shows the health of now: no other reader gets it.
        is_small = after is not None and len(self.pages) < MOST_PAGES
        if isinstance(page, Page) and is_small and not page.more and len(page.blocks) < MOST_PAGES:
            self.pages[after or 0] = page

    def deliver(self, position: int, block: bytes | None) -> None:
        """Pass an event on to the streams that are live."""
        self.newest = position
        self.pages.clear()
        for stream in tuple(self.streams):
            stream.take(position, block)


class Channels:
    """All channels. The event loop changes them; the follower's thread only reads them."""

    def __init__(self) -> None:
        self.jobs: dict[str, Channel] = {}
        self.instances: dict[str, Channel] = {}  # by the newest job of an agent
        self.agents: dict[str, Channel] = {}
        self.everything = Channel()
        # Streams that name several jobs and agents, by each of these names: an event costs nothing
        # for a stream that does not name its job or agent.
        self.named_jobs: dict[str, dict[Stream, None]] = {}
        self.named_agents: dict[str, dict[Stream, None]] = {}

    def wants(self, event: Stored) -> bool:
        """Tell whether a stream watches the event's job, or waits for an agent's next job."""
        return bool(
            event.job_id in self.jobs
            or event.job_id in self.instances
            or self.everything.streams
            or event.job_id in self.named_jobs
            or self.named_agents  # an event does not name the agent
            or (event.topic == REGISTERED and self.agents)
        )

    def wants_job_of(self, instance: Instance) -> bool:
        """Tell whether a stream carries documents of this job, in the form of `GET /api/jobs`."""
        return bool(
            instance.job_id in self.jobs
            or self.everything.streams
            or instance.job_id in self.named_jobs
            or instance.agent_id in self.named_agents
        )

    def join(self, stream: Stream) -> None:
        """Deliver to a stream from now on."""
        if stream.watch.agent_id is not None:
            _join(self.agents, stream.watch.agent_id, stream)
        elif stream.watch.job_id is not None:
            _join(self.jobs, stream.watch.job_id, stream)
        elif stream.watch.is_of_some:
            for job_id in stream.watch.jobs:
                self.named_jobs.setdefault(job_id, {})[stream] = None
            for agent_id in stream.watch.agents:
                self.named_agents.setdefault(agent_id, {})[stream] = None
        else:
            self.everything.streams[stream] = None

    def move(self, stream: Stream, job_id: str) -> None:
        """Deliver this job to the stream of its agent, in place of the agent's previous job."""
        _leave(self.instances, stream.job_id, stream)
        _join(self.instances, job_id, stream)
        stream.job_id = job_id

    def leave(self, stream: Stream) -> None:
        """Deliver to a stream no more."""
        if stream.watch.agent_id is not None:
            _leave(self.agents, stream.watch.agent_id, stream)
            _leave(self.instances, stream.job_id, stream)
        elif stream.watch.is_of_some:
            for job_id in stream.watch.jobs:
                _forget(self.named_jobs, job_id, stream)
            for agent_id in stream.watch.agents:
                _forget(self.named_agents, agent_id, stream)
        else:
            _leave(self.jobs, stream.job_id, stream)
            self.everything.streams.pop(stream, None)

    def newest_of(self, stream: Stream) -> int:
        """Return the position of the newest event that the stream's channels were delivered."""
        return max(channel.newest for channel in self._of(stream))

    def deliver(self, deliveries: Sequence[Delivery], position: int) -> None:
        """Pass events on, in the log's order: all wanted events up to that position."""
        for each in deliveries:
            at, instance = each.news.event.position, each.news.instance
            if channel := self.jobs.get(instance.job_id):
                channel.deliver(at, each.of_job)
            if channel := self.instances.get(instance.job_id):
                channel.deliver(at, each.of_instance)
            for streams in self._of_all_or_some(instance):
                for stream in tuple(streams):
                    if admits(stream.watch, instance):
                        # Once only, even if it names the job and its agent.
                        stream.take(at, each.of_job)
            if each.news.event.topic == REGISTERED and instance.agent_id:
                self._go_on_with_next_job(instance.agent_id, at)
        self.everything.newest = position
        self._end({each.news.instance.job_id: each.news for each in deliveries})

    def _of_all_or_some(self, instance: Instance) -> Iterator[dict[Stream, None]]:
        yield self.everything.streams
        if streams := self.named_jobs.get(instance.job_id):
            yield streams
        if self.named_agents and (streams := self.named_agents.get(instance.agent_id or "")):
            yield streams

    def _go_on_with_next_job(self, agent_id: str, position: int) -> None:
        if channel := self.agents.get(agent_id):
            channel.newest = position
            for stream in channel.streams:
                stream.catch_up()

    def _end(self, last: dict[str, News]) -> None:
        for job_id, news in last.items():
            if news.instance.has_ended and (channel := self.jobs.get(job_id)):
                for stream in tuple(channel.streams):
                    stream.end_with(news.instance)

    def _of(self, stream: Stream) -> Iterator[Channel]:
        if stream.watch.agent_id is not None:
            yield self.agents[stream.watch.agent_id]
            if stream.job_id is not None:
                yield self.instances[stream.job_id]
        elif stream.job_id is not None:
            yield self.jobs[stream.job_id]
        else:
            yield self.everything


def _join(channels: dict[str, Channel], name: str, stream: Stream) -> None:
    channels.setdefault(name, Channel()).streams[stream] = None


def _leave(channels: dict[str, Channel], name: str | None, stream: Stream) -> None:
    if name is not None and (channel := channels.get(name)):
        channel.streams.pop(stream, None)
        if not channel.streams:
            del channels[name]


def _forget(named: dict[str, dict[Stream, None]], name: str, stream: Stream) -> None:
    if streams := named.get(name):
        streams.pop(stream, None)
        if not streams:
            del named[name]

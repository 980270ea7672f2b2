"""Channels: the streams of one event loop by what they watch, and what the follower tells them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from api.serving.streams.pages import Page, admits
from api.serving.streams.resuming import REGISTERED
from api.serving.streams.stream import Stream
from domain.log.stored import Stored
from projections.reading.follower import News
from projections.views.instance import Instance

MOST_PAGES: Final = 4
"""How many pages streams of one job may share, each with fewer blocks than this."""


class Told(NamedTuple):
    """An event for the event loop, with a block for each kind of document that somebody wants.

    A block that nobody wants is empty. A block is None if its document could not be made.
    """

    news: News
    of_job: bytes | None
    of_instance: bytes | None


class Channel:
    """The streams that watch one thing, and the position of its newest told event.

    `pages` are those that further streams can begin with, by the position that their readers have
    seen. Each was read while this channel was there, so what it lacks is told.
    """

    __slots__ = ("pages", "streams", "told")

    def __init__(self) -> None:
        self.streams: dict[Stream, None] = {}
        self.pages: dict[int, Page] = {}
        self.told = 0

    def page(self, after: int | None) -> Page | None:
        """Return a page that was read before, if nothing is new since."""
        page = None if after is None else self.pages.get(after)
        return page if page and self.told <= page.upto else None

    def share(self, after: int | None, page: Page | Exception) -> None:
        """Let other streams begin with a page, if it is small and the last one."""
        # The page of a reader without a position has the health of now.
        is_small = after is not None and len(self.pages) < MOST_PAGES
        if isinstance(page, Page) and is_small and not page.more and len(page.blocks) < MOST_PAGES:
            self.pages[after or 0] = page

    def tell(self, position: int, block: bytes | None) -> None:
        """Pass an event on to the streams that are live."""
        self.told = position
        self.pages.clear()
        for stream in tuple(self.streams):
            stream.take(position, block)


class Channels:
    """The channels. The event loop changes them; the follower's thread only looks."""

    def __init__(self) -> None:
        self.jobs: dict[str, Channel] = {}
        self.instances: dict[str, Channel] = {}  # by the newest job of an agent
        self.agents: dict[str, Channel] = {}
        self.everything = Channel()
        # Streams of some of all jobs, by each job and each agent that they name: so an event costs
        # nothing for those that name others.
        self.named_jobs: dict[str, dict[Stream, None]] = {}
        self.named_agents: dict[str, dict[Stream, None]] = {}

    def wants(self, event: Stored) -> bool:
        """Tell whether somebody watches the event's job, or waits for the next one of an agent."""
        return bool(
            event.job_id in self.jobs
            or event.job_id in self.instances
            or self.everything.streams
            or event.job_id in self.named_jobs
            or self.named_agents  # an event does not say whose job it is about
            or (event.topic == REGISTERED and self.agents)
        )

    def wants_job_of(self, instance: Instance) -> bool:
        """Tell whether somebody wants the document of a job, of this one."""
        return bool(
            instance.job_id in self.jobs
            or self.everything.streams
            or instance.job_id in self.named_jobs
            or instance.agent_id in self.named_agents
        )

    def join(self, stream: Stream) -> None:
        """Let a stream be told of what it watches."""
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
        """Let the stream of an agent be told of this job, in place of the one before."""
        _leave(self.instances, stream.job_id, stream)
        _join(self.instances, job_id, stream)
        stream.job_id = job_id

    def leave(self, stream: Stream) -> None:
        """Tell a stream nothing more."""
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

    def told(self, stream: Stream) -> int:
        """Return the position of the newest event that the follower has told of a watched thing."""
        return max(channel.told for channel in self._of(stream))

    def tell(self, told: Sequence[Told], position: int) -> None:
        """Pass events on, in the log's order: all that is wanted up to that position."""
        for each in told:
            at, instance = each.news.event.position, each.news.instance
            if channel := self.jobs.get(instance.job_id):
                channel.tell(at, each.of_job)
            if channel := self.instances.get(instance.job_id):
                channel.tell(at, each.of_instance)
            for streams in self._of_all_or_some(instance):
                for stream in tuple(streams):
                    if admits(stream.watch, instance):
                        stream.take(at, each.of_job)  # only once, if it names the agent, too
            if each.news.event.topic == REGISTERED and instance.agent_id:
                self._go_on_with_next_job(instance.agent_id, at)
        self.everything.told = position
        self._end({each.news.instance.job_id: each.news for each in told})

    def _of_all_or_some(self, instance: Instance) -> Iterator[dict[Stream, None]]:
        yield self.everything.streams
        if streams := self.named_jobs.get(instance.job_id):
            yield streams
        if self.named_agents and (streams := self.named_agents.get(instance.agent_id or "")):
            yield streams

    def _go_on_with_next_job(self, agent_id: str, position: int) -> None:
        if channel := self.agents.get(agent_id):
            channel.told = position
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

"""Between what a reader missed and what he is told live nothing is lost, and nothing repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from api.http.messages import Watch
from api.serving.streams.missed.pages import Page
from api.serving.streams.stream import Stream
from api.tokens import Principal
from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from projections.reading.reader import Reader
from projections.views.instance import Instance
from tests.support.web.site import Site
from tests.support.web.streaming import Live, live

ANYBODY = Principal("anybody", frozenset({"read"}), "token-1")
JOB = Instance("job-1")


class Host:
    """What a stream is in, with pages that are known before; see `Host` of the stream."""

    def __init__(self, *pages: Page | Exception) -> None:
        self.pages = list(pages)
        self.asked: list[int | None] = []
        self.delivered = 0
        self.moved_to: list[str] = []
        self.while_reading: Callable[[], object] = lambda: None

    def move(self, stream: Stream, job_id: str) -> None:
        self.moved_to.append(job_id)
        stream.job_id = job_id

    def newest_of(self, stream: Stream) -> int:
        return self.delivered

    async def page(self, stream: Stream) -> Page:
        self.asked.append(stream.sent)
        page = self.pages.pop(0)
        self.while_reading()
        if isinstance(page, Exception):
            raise page
        return page

    def leave(self, stream: Stream) -> None:
        raise AssertionError("nobody leaves")


class Forgetful(Host):
    """A host from which a reader may go."""

    def leave(self, stream: Stream) -> None:
        pass


class Sink:
    """A connection that takes everything."""

    unsent = 0

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, written: bytes) -> None:
        self.written += written

    def close(self) -> None:
        self.is_closed = True

    abort = close


def page(positions: Sequence[int], upto: int, job: Instance = JOB, *, more: bool = False) -> Page:
    return Page([(each, b"%d " % each) for each in positions], upto, more, job)


async def begun(host: Host, watch: Watch) -> tuple[Stream, Sink]:
    """Return a stream that has caught up, and where it goes."""
    stream, sink = Stream(watch, host, says_end=True), Sink()
    await stream.first_page()
    stream.begin(sink)
    async with asyncio.timeout(20):
        while not stream.is_live:
            await asyncio.sleep(0)
    return stream, sink


def test_what_was_told_while_a_page_was_read_is_read_with_the_next_page() -> None:
    async def test() -> None:
        host = Host(page([3, 4], 4), page([5, 6], 6))
        host.delivered = 6  # the follower delivered 5 and 6 after the first page was read
        stream, sink = await begun(host, Watch(ANYBODY, 2, job_id="job-1"))
        assert host.asked == [2, 4]
        stream.take(6, b"again ")
        stream.take(7, b"7 ")
        assert sink.written == b"3 4 5 6 7 "

    asyncio.run(test())


def test_what_is_told_before_the_stream_is_live_is_not_written() -> None:
    async def test() -> None:
        host = Host(page([3], 3, more=True), page([4], 4))
        stream, sink = Stream(Watch(ANYBODY, 2, job_id="job-1"), host, says_end=True), Sink()
        await stream.first_page()
        stream.begin(sink)
        stream.take(4, b"early ")
        while not stream.is_live:
            await asyncio.sleep(0)
        assert sink.written == b"3 4 "

    asyncio.run(test())


def test_a_page_that_comes_after_its_reader_has_gone_is_for_nobody() -> None:
    """Its channels have forgotten the stream; it must not join those of another job."""

    async def test() -> None:
        host = Forgetful(page([3], 3, more=True), page([4], 4, Instance("job-2")))
        stream, sink = Stream(Watch(ANYBODY, 2, agent_id="agent-1"), host, says_end=False), Sink()
        stream.job_id = "job-1"
        await stream.first_page()
        host.while_reading = stream.gone
        stream.begin(sink)
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        assert host.moved_to == []
        assert (stream.is_live, sink.written) == (False, b"3 ")

    asyncio.run(test())


def test_a_page_that_has_what_was_sent_already_repeats_nothing() -> None:
    async def test() -> None:
        host = Host(page([3, 4], 4, more=True), page([4, 5], 5))
        _, sink = await begun(host, Watch(ANYBODY, 2, job_id="job-1"))
        assert sink.written == b"3 4 5 "

    asyncio.run(test())


def test_an_agents_stream_reads_again_once_it_hears_of_the_job() -> None:
    """The page may lack an event that was delivered before the stream joined the job's channel."""

    async def test() -> None:
        host = Host(page([3], 3), page([4], 4))
        _, sink = await begun(host, Watch(ANYBODY, 2, agent_id="agent-1"))
        assert host.moved_to == ["job-1"]
        assert sink.written == b"3 4 "

    asyncio.run(test())


def test_a_stream_that_catches_up_outlives_a_database_that_is_away() -> None:
    async def test() -> None:
        away = StoreUnavailable("away")
        host = Host(page([3], 3, more=True), away, page([4], 4))
        _, sink = await begun(host, Watch(ANYBODY, 2, job_id="job-1"))
        assert sink.written == b"3 4 "

    asyncio.run(test())


class Meddling:
    """A reader during whose first read of a job somebody else reports on it."""

    def __init__(self, real: Reader, site: Site) -> None:
        self._real, self._site = real, site
        self._is_armed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def instance(self, job_id: str) -> Instance | None:
        found = self._real.instance(job_id)
        if self._is_armed:
            self._is_armed = False
            step = Callback(job_id=job_id, status="provisioning", step="vm_created")
            self._site.deployment.milepost.record(step)
        return found


def test_an_event_that_is_committed_while_the_first_page_is_read_is_told(site: Site) -> None:
    """Only if the follower knows where it begins before the page is read."""
    site.register()
    reader: Any = Meddling(site.services.reader, site)
    site.services = msgspec.structs.replace(site.services, reader=reader)

    async def test(served: Live) -> None:
        stream = await served.ask("/api/jobs/job-1/stream")
        assert [block.data["version"] for block in await stream.some(2)] == [1, 2]

    live(site, test)


class Counting:
    """A reader that counts how often jobs are read."""

    def __init__(self, real: Reader) -> None:
        self._real = real
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def instance(self, job_id: str) -> Instance | None:
        self.reads += 1
        return self._real.instance(job_id)


def test_readers_of_one_job_that_come_again_share_a_read_until_something_is_new(
    memory_site: Site,
) -> None:
    site = memory_site
    site.register()
    reader: Any = Counting(site.services.reader)
    site.services = msgspec.structs.replace(site.services, reader=reader)
    path = "/api/jobs/job-1/stream"

    async def test(served: Live) -> None:
        streams = [await served.ask(path, Last_Event_ID="1") for _ in range(5)]
        assert reader.reads == 1
        site.report(status="provisioning", step="vm_created")
        for stream in streams:
            assert [block.id for block in await stream.some(1)] == [2]
        late = await served.ask(path, Last_Event_ID="1")
        assert [block.id for block in await late.some(1)] == [2]
        hidden = await served.ask(path, site.token("read", user_id="other"), Last_Event_ID="1")
        assert hidden.status == 404

    live(site, test)

"""Pages: a stream begins with the events that its reader has missed, some at a time.

The thread of a batching reads each page from the log. A page has every watched event after the
position that the reader has seen, up to `upto`. The next page goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from api.errors import AgentNotFound
from api.http import event_stream
from api.http.messages import Watch
from api.serving.streams.documents import Documents
from api.serving.streams.missed.resuming import Resuming
from api.serving.streams.missed.some_jobs import SomeJobs
from api.wiring import Services
from domain.errors import JobNotFound
from domain.log.store import translated
from projections.reading.entries import Wanted
from projections.views.instance import Instance

EVENTS: Final = 100
"""How many events a page has at most."""
PAGE_BYTES: Final = 1024 * 1024
"""A page ends with the block that makes it longer than this: a document may have 64 KiB."""


Document: TypeAlias = Callable[[Instance, datetime | None], bytes]


class Page(NamedTuple):
    """Blocks with their positions; `more` follow in the log after the position `upto`.

    `shown` is the present state of the job that is watched, or of the agent's newest job.
    """

    blocks: Sequence[tuple[int, bytes]]
    upto: int
    more: bool = False
    shown: Instance | None = None


class Asked(NamedTuple):
    """A request for the page after a position; without one, for the present state."""

    watch: Watch
    after: int | None


class Pages:
    """Reads pages. Every method may raise `StoreUnavailable`."""

    def __init__(self, services: Services, documents: Documents) -> None:
        self._services = services
        self._reader, self._history = services.reader, services.history
        self._documents = documents
        self._resuming = Resuming(services)
        self._some_jobs = SomeJobs(services, self._resuming)

    def read(self, asked: Sequence[Asked]) -> Sequence[Page | Exception]:
        """Return a page for each request, or its error; read a page once that several ask for."""
        known: dict[tuple[str | None, str | None, int | None], Page | Exception] = {}
        pages: list[Page | Exception] = []
        for watch, after in asked:
            if watch.is_of_all:
                pages.append(self._attempted(watch, after))
                continue
            key = watch.job_id, watch.agent_id, after
            if key not in known:
                known[key] = self._attempted(watch, after)
            pages.append(visible(known[key], watch))
        return pages

    def _attempted(self, watch: Watch, after: int | None) -> Page | Exception:
        try:
            with translated():
                if watch.job_id is not None:
                    return self._of_job(watch.job_id, after)
                if watch.agent_id is not None:
                    return self._of_agent(watch.agent_id, after)
                return self._of_all(watch, after)
        except Exception as error:  # the other pages of the batch are read all the same
            return error

    def _of_job(self, job_id: str, after: int | None) -> Page:
        present = self._reader.instance(job_id)
        if present is None:
            raise JobNotFound
        if after is None:
            return self._present(present, self._documents.job)
        if after >= present.position:
            return Page((), after, shown=present)
        blocks, upto = self._blocks(present, after, present.position, self._documents.job)
        return Page(blocks, upto, upto < present.position, present)

    def _of_agent(self, agent_id: str, after: int | None) -> Page:
        newest = self._reader.instance_of(agent_id)
        if newest is None:
            raise AgentNotFound
        if after is None:
            return self._present(newest, self._documents.instance)
        if after >= newest.position:
            return Page((), after, shown=newest)
        tenure = self._resuming.tenure_at(agent_id, newest, after)
        last = min(tenure.last, newest.position)
        begin = max(after, tenure.after)
        blocks, upto = self._blocks(tenure.job, begin, last, self._documents.instance)
        return Page(blocks, upto, upto < newest.position, newest)

    def _of_all(self, watch: Watch, after: int | None) -> Page:
        if after is None:
            newest = self._services.read_model.log.newest_position()
            return Page([(newest, event_stream.bookmark(newest))], newest)
        if watch.is_of_some:
            page = self._some_jobs.page(watch.jobs, watch.agents, after, EVENTS)
        else:
            page = self._history.of_all(after, EVENTS, Wanted())
        blocks: list[tuple[int, bytes]] = []
        upto, size = page.following, 0
        for entry in page.entries:
            if not admits(watch, entry.after):
                continue
            position = entry.stored.position
            block = event_stream.event(position, self._documents.job(entry.after))
            blocks.append((position, block))
            size += len(block)
            if size > PAGE_BYTES:
                return Page(blocks, position, more=True)
        if not blocks or blocks[-1][0] < upto:
            # When this reader connects again, the database need not read the same events again.
            blocks.append((upto, event_stream.bookmark(upto)))
        return Page(blocks, upto, page.more)

    def _present(self, shown: Instance, document: Document) -> Page:
        block = event_stream.event(shown.position, document(shown, self._services.now()))
        return Page([(shown.position, block)], shown.position, shown=shown)

    def _blocks(
        self, job: Instance, after: int, last: int, document: Document
    ) -> tuple[Sequence[tuple[int, bytes]], int]:
        """Return blocks of a job's events, from after the position `after` up to `last`.

        There may be more: the second value is the position up to which none is missing.
        """
        if job.position <= after:
            return (), last
        version = self._resuming.version_at(job, after)
        page = self._history.of_job(job.job_id, version, EVENTS, Wanted())
        blocks: list[tuple[int, bytes]] = []
        size = 0
        for entry in page.entries:
            position = entry.stored.position
            if position > last:
                return blocks, last
            block = event_stream.event(position, document(entry.after, None))
            blocks.append((position, block))
            size += len(block)
            if size > PAGE_BYTES:
                return blocks, position
        return blocks, page.entries[-1].stored.position if page.more else last


def admits(watch: Watch, instance: Instance) -> bool:
    """Tell whether the watcher of several jobs may see this job, and has not filtered it out."""
    return watch.caller.sees(instance.user_id) and all(
        getattr(instance, name) == value for name, value in watch.filters.items()
    )


def visible(page: Page | Exception, watch: Watch) -> Page | Exception:
    """Return the page if the watcher may see its job, else the error for a job that is unknown."""
    if isinstance(page, Page) and page.shown and not watch.caller.sees(page.shown.user_id):
        return JobNotFound() if watch.job_id is not None else AgentNotFound()
    return page

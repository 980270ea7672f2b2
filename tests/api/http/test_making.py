"""Two large answers are made at a time for a caller, so that a large job fits into memory."""

from __future__ import annotations

import re
from asyncio import gather, get_running_loop, run
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any

import msgspec
import pytest

from api.http.making import AT_ONCE, _places, making
from api.http.patience import begin
from api.serving.threads import BoundedThreads
from api.tokens import ADMIN_PRINCIPAL, Principal
from domain.errors import StoreUnavailable
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.reading.history import History
from projections.reading.reader import Page, Reader
from projections.reading.whole_errors import State
from projections.views.instance import Instance
from tests.support.stores.deployment import Deployment
from tests.support.web.site import ADMIN, Site, app_over, bearer, problem_of

CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class AtOnce:
    """Counts how many works go on at the same time. The first one waits for a second one."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self._lock = Lock()
        self._two = Event()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count what is done meanwhile as one work."""
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            if self.under_way == 2:
                self._two.set()
        assert self._two.wait(60)
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1


class Watched(History):
    """A history that counts how many answers are made of it at the same time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.at_once = AtOnce()

    def with_whole_errors(self, state: State) -> State:
        with self.at_once.one():
            return super().with_whole_errors(state)


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/job-1",
        "/jobs/job-1?version=1",
        "/agents/agent-1",
        "/embed/jobs/job-1",
        "/embed/agents/agent-1",
        "/api/jobs/job-1/timeline",
        "/api/jobs/job-1/changes?from=1",
        "/api/jobs/job-1?version=1",
        "/api/agents/agent-1/instance?version=1",
        "/api/agents/agent-1/instance/changes?from=1",
    ],
)
def test_two_answers_about_a_job_are_made_at_a_time(memory: Deployment, path: str) -> None:
    history = Watched(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.register()
    site.app = app_over(msgspec.structs.replace(site.services, history=history))

    def ask(_: int) -> int:
        return site.app.test_client().get(path, headers=bearer(ADMIN)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {200}
    assert history.at_once.most == AT_ONCE


@pytest.mark.parametrize("reason", ["", "a\x1b[31mb"])
def test_two_pages_with_a_refused_order_are_made_at_a_time(memory: Deployment, reason: str) -> None:
    history = Watched(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.register()
    headers = {"Cookie": site.sign_in()}
    proof = CSRF.search(site.look("/jobs/job-1", headers["Cookie"]).text)
    assert proof
    form = {"csrf": proof[1], "reason": reason}
    site.report(status="running")
    site.app = app_over(msgspec.structs.replace(site.services, history=history))

    def order(_: int) -> int:
        client = site.app.test_client(use_cookies=False)
        return client.post("/jobs/job-1/cancel", data=form, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(order, range(8))) == {400 if reason else 409}
    assert history.at_once.most == AT_ONCE


class Searched(Reader):
    """A reader that counts how many searches go on at the same time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.at_once = AtOnce()

    def measured_instances(self, wanted: JobFilter) -> Iterator[tuple[Instance, int]]:
        with self.at_once.one():
            return super().measured_instances(wanted)


class Listed(Reader):
    """A reader that notes whether each list is read by one who holds a place."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.holds_a_place: list[bool] = []

    def page(self, wanted: JobFilter) -> Page:
        self.holds_a_place.append(bool(_places))
        return super().page(wanted)

    def attention(self, wanted: AttentionFilter) -> Page:
        self.holds_a_place.append(bool(_places))
        return super().attention(wanted)


@pytest.mark.parametrize("query", ["limit=100", "attention=true"])
def test_a_list_of_jobs_takes_one_of_the_two_places(memory: Deployment, query: str) -> None:
    reader = Listed(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.app = app_over(msgspec.structs.replace(site.services, reader=reader))

    site.app.test_client().get(f"/api/jobs?{query}", headers=bearer(ADMIN))

    assert reader.holds_a_place == [True]


def test_two_searches_are_made_at_a_time(memory: Deployment) -> None:
    reader = Searched(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.register()
    site.app = app_over(msgspec.structs.replace(site.services, reader=reader))

    def ask(_: int) -> int:
        return site.app.test_client().get("/jobs?q=odd", headers=bearer(ADMIN)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {200}
    assert reader.at_once.most == AT_ONCE


def test_no_caller_waits_for_the_answers_of_another() -> None:
    ada, bob = (Principal("a token", frozenset(), "1", user) for user in ("ada", "bob"))
    with making(ada), making(ada), making(bob):
        pass  # a place of ada's would not come
    with making(ada), making(ada):
        pass  # the places are free again


@pytest.mark.parametrize("user", ["ada", None])
def test_no_caller_waits_for_readers_of_its_links(user: str | None) -> None:
    issuer = Principal("a token", frozenset(), "1", user)
    reader = msgspec.structs.replace(issuer, until=1_800_000_000)
    with making(reader), making(reader), making(issuer):
        pass  # the reader's places are not the issuer's


def test_all_links_of_a_user_share_the_same_places() -> None:
    tokens = (Principal("a token", frozenset(), id_, "ada", until=1_800_000_000) for id_ in "12")
    assert len({each.sharer for each in tokens}) == 1


def test_no_answer_is_made_for_a_caller_that_has_given_up() -> None:
    """Those behind two slow answers would each hold a thread of the front."""
    ada = Principal("a token", frozenset(), "1", "ada")
    ended = SimpleQueue[str]()

    def make() -> None:
        try:
            with making(ada):
                ended.put("made")
        except StoreUnavailable:
            ended.put("refused")

    async def ask() -> list[str]:
        threads = BoundedThreads(get_running_loop(), patience=0.05)
        await gather(*(threads.run(make) for _ in range(8)), return_exceptions=True)
        threads.close()
        return [ended.get(timeout=10) for _ in range(8)]

    with making(ada), making(ada):
        assert set(run(ask())) == {"refused"}
    with making(ada), making(ada):
        pass  # the caller that gave up holds no place any more


def test_a_large_answer_whose_turn_does_not_come_is_a_503_with_a_time_to_try_again(
    memory: Deployment,
) -> None:
    site = Site(memory)
    site.register()
    ask = site.app.test_client().get

    with making(ADMIN_PRINCIPAL), making(ADMIN_PRINCIPAL):
        context = copy_context()
        context.run(begin, 0.0)
        answer = context.run(ask, "/api/jobs/job-1/timeline", headers=bearer(ADMIN))

    assert answer.headers["Retry-After"]
    problem_of(answer, 503, "store-unavailable")


class CountedRows(Reader):
    """A reader that counts how many documents of jobs it has read."""

    read = 0

    def instance(self, job_id: str) -> Instance | None:
        self.read += 1
        return super().instance(job_id)


def test_no_request_for_a_jobs_events_waits_with_the_jobs_document(memory: Deployment) -> None:
    reader = CountedRows(memory.read_model, memory.milepost.mapper)
    site = Site(memory)
    site.register()
    site.app = app_over(msgspec.structs.replace(site.services, reader=reader))
    ask = site.app.test_client().get

    with making(ADMIN_PRINCIPAL), making(ADMIN_PRINCIPAL):
        context = copy_context()
        context.run(begin, 0.0)
        answer = context.run(ask, "/api/jobs/job-1/events", headers=bearer(ADMIN))

    assert answer.status_code == 503
    assert reader.read == 0


@pytest.mark.parametrize("ending", ["timeline", "changes?from=1", "events"])
def test_an_id_like_another_routes_path_is_shown_by_that_route(
    memory_site: Site, ending: str
) -> None:
    """The route of the longer id makes its answer after the other one has given up."""
    memory_site.register(f"job-1/{ending.partition('?')[0]}")

    with making(ADMIN_PRINCIPAL):  # for a second place, the request would wait in vain
        assert memory_site.get(f"/api/jobs/job-1/{ending}").status_code == 200

"""Two large answers are made at a time for a caller, so that a large job fits into memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import msgspec
import pytest

from api.http.making import AT_ONCE, making
from api.tokens import Principal
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.reading.whole_errors import State
from projections.views.instance import Instance
from tests.support.stores.deployment import Deployment
from tests.support.web.site import ADMIN, Site, app_over, bearer


class Counter:
    """Counts how often something is under way at the same time."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self._lock = Lock()

    def __call__(self) -> None:
        """Be under way for long enough that others begin."""
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        Event().wait(0.02)
        with self._lock:
            self.under_way -= 1


class Watched(History):
    """A history that counts how many states are made whole at the same time."""

    counter: Counter

    def with_whole_errors(self, state: State) -> State:
        self.counter()
        return super().with_whole_errors(state)


class WatchedReader(Reader):
    """A reader that counts how many documents of jobs are read at the same time."""

    counter: Counter

    def instance(self, job_id: str) -> Instance | None:
        self.counter()
        return super().instance(job_id)


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
    history.counter = Counter()
    site = Site(memory)
    site.register()
    site.app = app_over(msgspec.structs.replace(site.services, history=history))

    ask_at_once(site, path)

    assert history.counter.most == AT_ONCE


def test_no_request_for_a_jobs_events_waits_with_the_jobs_document(memory: Deployment) -> None:
    reader = WatchedReader(memory.read_model, memory.milepost.mapper)
    reader.counter = Counter()
    site = Site(memory)
    site.register()
    site.app = app_over(msgspec.structs.replace(site.services, reader=reader))

    ask_at_once(site, "/api/jobs/job-1/events")

    assert reader.counter.most == AT_ONCE


def ask_at_once(site: Site, path: str) -> None:
    """Ask eight times at once, and expect the answers."""

    def ask(_: int) -> int:
        return site.app.test_client().get(path, headers=bearer(ADMIN)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {200}


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


@pytest.mark.parametrize("ending", ["timeline", "changes?from=1", "events"])
def test_an_id_like_another_routes_path_is_shown_by_that_route(
    memory_site: Site, ending: str
) -> None:
    """The route of the longer id makes its answer after the other one has given up."""
    memory_site.register(f"job-1/{ending.partition('?')[0]}")

    for _ in range(AT_ONCE + 1):
        assert memory_site.get(f"/api/jobs/job-1/{ending}").status_code == 200

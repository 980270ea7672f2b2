"""Every route, asked by all kinds of callers about things of their own, of others, of nobody.

A route that has no line in `lines.py` fails: whoever adds a route says who may use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Final, NamedTuple

import pytest
from werkzeug.test import TestResponse

from api.routes.hot import match
from domain.workflows.definition import Workflows
from tests.api.http.authorisation.lines import LINES, Line
from tests.api.http.authorisation.world import (
    ABSENT,
    BOBS,
    THINGS,
    Caller,
    Thing,
    callers_of,
    settled,
)
from tests.support.stores.deployment import Clock, Deployment
from tests.support.web.doors import opened
from tests.support.web.front import FrontDoor
from tests.support.web.site import Site

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
OF_ITSELF: Final = {"HEAD", "OPTIONS"}
"""What Flask adds to a route: the first answers as GET does, the second names the methods."""
SIGNATURES: Final = ("signature", "key")
OF_THE_TIME: Final = ("date", "expires", "x-request-id")
IN_MEMORY: Final = {"PERSISTENCE_MODULE": "domain.log.memory"}
JOBS: Final = "/api/jobs/<id:job_id>"
VALUES: Final = {"version": "1", "workflow": "vm", "filename": "milepost.css", "name": "index.css"}


@pytest.fixture
def world(memory_site: Site) -> Site:
    """A site with everything that is asked about."""
    settled(memory_site)
    return memory_site


def path_of(rule: str, thing: Thing) -> str:
    """Return the path by which a route is asked about a thing."""
    values = {**VALUES, "job_id": thing.job, "agent_id": thing.agent}
    return re.sub(r"<\w+:(\w+)>", lambda found: values[found[1]], rule)


def ask(
    site: Site, method: str, rule: str, thing: Thing, caller: Caller, query: str = ""
) -> TestResponse:
    """Ask for one route about one thing."""
    path = path_of(rule, thing)
    line = LINES.get((method, rule))
    names = {"job": thing.job, "agent": thing.agent}
    body = line.body.format(**names).encode() if line else b""
    answer = site.client.open(
        caller.address(path, query.format(**names)),
        method=method,
        data=body,
        headers=caller.headers(body),
    )
    answer.get_data()  # of a file, too, before it is closed
    answer.close()
    return answer


class Answered(NamedTuple):
    """One request, its answer, and whether an event was recorded meanwhile."""

    caller: Caller
    query: str
    thing: Thing
    answer: TestResponse
    was_recorded: bool


class Asked(NamedTuple):
    """A route that was asked by every caller, about every thing, with each query."""

    line: Line
    answers: list[Answered]


SOME: Final = (
    "no token",
    "read of ada",
    "session of read of ada",
    "link of read of ada",
    "admin",
)


def some_of(callers: list[Caller]) -> list[Caller]:
    """Return who may do nothing, who may read one user's jobs, and who may do everything."""
    return [each for each in callers if each.name in SOME]


@pytest.fixture(
    scope="module",
    params=[(door, *route) for door in ("flask", "front") for route in LINES],
    ids=" ".join,
)
def asked(request: pytest.FixtureRequest, workflows: Workflows) -> Asked:
    """Each route at each door. Three tests look at the same answers.

    Some callers are enough at the front where it hands the request to Flask unseen.
    """
    kind, method, rule = request.param
    door: FrontDoor | None = request.getfixturevalue("front_door") if kind == "front" else None
    line = LINES[method, rule]
    is_behind = door is not None and not match(method, path_of(rule, ABSENT), "")
    answers = []
    with closing(Deployment(IN_MEMORY, workflows, Clock())) as made:
        for site in opened(made, door):
            settled(site)
            callers = callers_of(site, method)
            asking = some_of(callers) if is_behind else callers
            for caller, query, thing in product(asking, line.queries, THINGS):
                before = site.position
                answer = ask(site, method, rule, thing, caller, query)
                answers.append(Answered(caller, query, thing, answer, site.position != before))
    return Asked(line, answers)


def expected(line: Line, caller: Caller, thing: Thing) -> frozenset[int]:
    """Return the statuses that a request with the first query may be answered with."""
    if line.proof == "none":
        return line.statuses
    if line.proof in SIGNATURES:
        if not signs_for(line, caller, thing):
            return frozenset({401})
        # A key is for registered jobs: whoever knows an id must not begin its job.
        is_allowed = thing.has_agent or not caller.key_of
        return line.statuses if is_allowed else frozenset({403})
    if not caller.is_known:
        if line.kind == "form" and caller.has_signed_in:
            return frozenset({403})
        signs_in = line.kind == "page" and caller.asks_as_a_browser
        return frozenset({303 if signs_in else 401})
    if not caller.may(line.proof) or (line.about == "everything" and caller.user is not None):
        return frozenset({403})
    return line.statuses if is_seen(line, caller, thing) else frozenset({line.hidden})


def signs_for(line: Line, caller: Caller, thing: Thing) -> bool:
    """Tell whether the caller's key signs callbacks of this job on this route."""
    is_own = line.proof == "key" and caller.key_of == thing
    return caller.signs and (is_own or not caller.key_of)


def is_seen(line: Line, caller: Caller, thing: Thing) -> bool:
    """Tell whether the caller may learn that what the request is about is there."""
    if line.proof in SIGNATURES:
        return signs_for(line, caller, thing)
    if line.proof == "none":
        return False
    if line.about not in ("job", "agent"):
        return True
    return caller.may(line.proof) and caller.sees(thing, agent=line.about == "agent")


def comparable(answer: TestResponse, thing: Thing) -> tuple[int, list[tuple[str, str]], str]:
    """Return all of an answer but the name that it was asked with, and the time."""
    headers = sorted(
        (name, value.replace(thing.word, "this"))
        for name, value in answer.headers
        if name.lower() not in OF_THE_TIME
    )
    return answer.status_code, headers, answer.text.replace(thing.word, "this")


def test_every_route_has_a_line_and_every_line_a_route(memory_site: Site) -> None:
    routes = {
        (method, rule.rule)
        for rule in memory_site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - OF_ITSELF
    }

    assert routes == LINES.keys()


def test_each_caller_gets_what_the_line_says(asked: Asked) -> None:
    line = asked.line
    for each in asked.answers:
        said = f"{each.caller.name}, {each.thing.word}, {each.query!r}: {each.answer.status}"
        if each.query == line.queries[0]:
            assert each.answer.status_code in expected(line, each.caller, each.thing), said
        if each.answer.status_code >= 400:
            assert not each.was_recorded, f"{said}, and yet something was recorded"


def test_what_a_caller_may_not_see_looks_as_if_it_were_not_there(asked: Asked) -> None:
    absent = {
        (each.caller, each.query): comparable(each.answer, ABSENT)
        for each in asked.answers
        if each.thing == ABSENT
    }
    for each in asked.answers:
        if not is_seen(asked.line, each.caller, each.thing):
            answer = comparable(each.answer, each.thing)
            said = f"{each.caller.name}, {each.thing.word}, {each.query!r}"
            assert answer == absent[each.caller, each.query], said


def test_no_answer_names_the_machine_of_a_job_that_the_caller_may_not_see(asked: Asked) -> None:
    for each in asked.answers:
        caller = each.caller
        is_shown_jobs = caller.may("read") or caller.may("write")
        hidden = [
            thing.machine
            for thing in THINGS
            if not (is_shown_jobs and caller.sees(thing, agent=False))
        ]
        named = [machine for machine in hidden if machine in each.answer.text]
        assert named == [], f"{caller.name}, {each.thing.word}, {each.query!r}"


def not_for_things() -> Iterator[tuple[str, str]]:
    """Yield each rule with OPTIONS, and with the methods that it does not have."""
    for rule in sorted({rule for _, rule in LINES}):
        yield "OPTIONS", rule
        for method in METHODS:
            if (method, rule) not in LINES:
                yield method, rule


def test_other_methods_tell_nothing_about_anything(world: Site, door: FrontDoor | None) -> None:
    """The front hands these methods to Flask unseen, so fewer callers and things do there."""
    callers = some_of(callers_of(world))
    things = [thing for thing in THINGS if thing != ABSENT]
    if door:
        callers, things = [callers[0], callers[-1]], [BOBS]
    for caller in callers:
        for method, rule in not_for_things():
            absent = comparable(ask(world, method, rule, ABSENT, caller), ABSENT)
            # An id may contain slashes, so the address of a form may be that of a job's page.
            signs_in = method == "GET" and absent[0] == 303 and caller.asks_as_a_browser
            assert absent[0] >= 400 or method == "OPTIONS" or signs_in, f"{method} {rule}"
            for thing in things:
                answer = comparable(ask(world, method, rule, thing, caller), thing)
                assert answer == absent, f"{method} {rule}, {caller.name}, {thing.word}"


@pytest.mark.parametrize(
    "rule", [rule for method, rule in LINES if method == "GET" and rule.startswith(f"{JOBS}/")]
)
def test_a_job_of_another_user_whose_id_is_like_a_path_is_not_there(
    memory_site: Site, rule: str
) -> None:
    """An id may contain slashes, so `/api/jobs/a/timeline` may be the job `a/timeline`."""
    [ada] = [each for each in callers_of(memory_site) if each.name == "read of ada"]
    queries = LINES["GET", rule].queries
    asked = [ask(memory_site, "GET", rule, ABSENT, ada, query) for query in queries]
    before = [comparable(each, ABSENT) for each in asked]

    its_id = ABSENT.job + rule.removeprefix(JOBS).replace("<int:version>", "1")
    memory_site.register(its_id, "agent-1", "bob")

    after = [ask(memory_site, "GET", rule, ABSENT, ada, query) for query in queries]
    assert [comparable(each, ABSENT) for each in after] == before


def test_head_is_refused_where_get_is(world: Site) -> None:
    for method, rule in LINES:
        if method == "GET":
            for caller in some_of(callers_of(world)):
                for thing in (BOBS, ABSENT):
                    got, head = (ask(world, each, rule, thing, caller) for each in ("GET", "HEAD"))
                    assert head.status_code == got.status_code, f"{rule}, {caller.name}"

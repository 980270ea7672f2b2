"""Request ids: taken from `X-Request-Id` and given in it, and in the log lines of the request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from api.serving.logs import JSONFormatter
from tests.support.web.site import Site, like_jq


class Lines:
    """The log, as lines of JSON."""

    def __init__(self) -> None:
        self.out = StringIO()

    @property
    def all(self) -> list[Any]:
        """The lines until now."""
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log of Milepost."""
    made, log = Lines(), logging.getLogger("milepost")
    handler = logging.StreamHandler(made.out)
    handler.setFormatter(JSONFormatter())
    log.addHandler(handler)
    yield made
    log.removeHandler(handler)


def ids_of(site: Site, *given: str | None) -> list[str]:
    """Return the ids of the answers to requests with these ids."""
    return [
        site.get("/livez", headers={} if each is None else {"X-Request-Id": each}).headers[
            "X-Request-Id"
        ]
        for each in given
    ]


@pytest.mark.parametrize(
    "given", ["01J9Z", "a" * 128, "urn:uuid:6e8bc430-9c3a", "Root=1-67/x+y_z~."]
)
def test_an_id_that_came_with_the_request_is_given_back(memory_site: Site, given: str) -> None:
    assert ids_of(memory_site, given) == [given]


@pytest.mark.parametrize("given", ["", "a" * 129, "two words", "a,b", 'a"b', "ü", "{}"])
def test_another_id_is_replaced(memory_site: Site, given: str) -> None:
    [answered] = ids_of(memory_site, given)

    assert len(answered) == 16
    assert set(answered) <= set("0123456789abcdef")


def test_requests_without_an_id_get_one_each(memory_site: Site) -> None:
    assert len(set(ids_of(memory_site, *[None] * 20))) == 20


@pytest.mark.parametrize(
    "path", ["/livez", "/api/jobs/none", "/nowhere", "/audit", "/openapi.json", "/metrics"]
)
def test_every_answer_has_one_id(memory_site: Site, path: str) -> None:
    answer = memory_site.get(path, headers={"X-Request-Id": "req-1"})

    assert answer.headers.getlist("X-Request-Id") == ["req-1"]


def test_the_log_lines_of_a_callback_have_the_id_of_its_request(
    memory_site: Site, lines: Lines
) -> None:
    memory_site.callback(
        {"job_id": "job-1", "status": "provisioning", "step": 7}, headers={"X-Request-Id": "bent"}
    )
    memory_site.callback({"job_id": "job-1", "status": "odd"}, headers={"X-Request-Id": "odd"})

    recorded, refused = lines.all
    assert recorded["message"].startswith("callback recorded all the same for job 'job-1': ")
    assert (recorded["request_id"], recorded["job_id"]) == ("bent", "job-1")
    assert (refused["request_id"], refused["job_id"]) == ("odd", "job-1")
    assert refused["reason"] == "unknown_status"


def test_the_log_line_of_a_large_body_that_a_thread_reads_has_it_too(
    memory_site: Site, lines: Lines
) -> None:
    large = like_jq({"job_id": "job-1", "status": "odd", "log": "x" * 20_000})

    memory_site.callback(large, headers={"X-Request-Id": "large"})

    assert [line["request_id"] for line in lines.all] == ["large"]


def test_a_line_after_a_request_has_no_id(memory_site: Site, lines: Lines) -> None:
    memory_site.get("/nowhere", headers={"X-Request-Id": "req-1"})

    logging.getLogger("milepost").warning("of no request")

    assert "request_id" not in lines.all[-1]


def test_the_log_line_of_a_stranger_has_it_too(memory_site: Site, lines: Lines) -> None:
    memory_site.unsigned(b"{}", {"X-Request-Id": "stranger"})

    [line] = lines.all
    assert (line["request_id"], line["reason"]) == ("stranger", "invalid_signature")

"""A callback that came to a wrong URL, or by a wrong method, is answered with the right ones."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from api.http.counting.counters import LEFT_OUT
from api.http.problems.documents import problem_of as explained
from domain.few_lines import PER_MINUTE
from tests.support.web.site import Site, problem_of, sign

BODY = b'{"job_id": "job-1", "status": "failed"}'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/webhook/github", 404),
        ("/webhooks/github", 404),
        ("/api/webhooks/gitlab", 404),
        ("/api/Callback", 404),
        ("/callbacks/job-1", 404),
        ("/api", 404),
        ("/api/", 404),
        ("/", 405),
    ],
)
def test_a_post_that_looks_like_a_callback_is_answered_with_the_right_urls(
    memory_site: Site, caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    answer = memory_site.unsigned(BODY, {"X-Signature": sign(BODY)}, path)

    detail = problem_of(answer, status)["detail"]
    assert "POST /api/callbacks" in detail
    assert "/api/webhooks/github" in detail
    [record] = caplog.records
    assert f"POST {path!r}: no callback is taken here" in record.getMessage()


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/wp-login.php", 404), ("/api/jobs/hook-1/fial", 405)]
)
def test_another_post_is_not_answered_with_the_urls_of_callbacks(
    memory_site: Site, caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    detail = problem_of(memory_site.client.post(path), status)["detail"]

    assert "/api/callbacks" not in detail
    assert not caplog.records


def test_a_reader_of_an_unknown_path_is_not_answered_with_the_urls_of_callbacks(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    detail = problem_of(memory_site.client.get("/api/webhooks"), 404)["detail"]

    assert "/api/callbacks" not in detail
    assert not caplog.records


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("path", ["/api/webhooks/github", "/api/callbacks", "/api/callbacks/job-1"])
def test_another_method_on_the_url_of_callbacks_is_answered_with_what_it_is_for(
    memory_site: Site, caplog: pytest.LogCaptureFixture, path: str, method: str
) -> None:
    answer = memory_site.client.open(path, method=method)

    detail = problem_of(answer, 405, "method-not-allowed")["detail"]
    assert "This URL takes the callbacks of provisioning workflows" in detail
    assert "/api/docs" in detail
    assert ("redirect" in detail) == (method == "GET")
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    [record] = caplog.records
    assert f"{method} {path!r}: no callback is taken here" in record.getMessage()


def test_the_urls_have_the_prefix_that_clients_see() -> None:
    for error, method, path in (
        (NotFound(), "POST", "/webhooks"),
        (MethodNotAllowed(), "GET", "/api/callbacks"),
    ):
        assert b" /milepost/api/" in explained(error, method, path, "/milepost").body


def test_an_id_that_no_job_can_have_is_no_wrong_url(memory_site: Site) -> None:
    answer = memory_site.unsigned(BODY, path=f"/api/callbacks/{'x' * 300}")

    assert "POST /api/callbacks" not in problem_of(answer, 404)["detail"]


def test_a_hundred_callbacks_to_a_wrong_url_leave_ten_lines(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    counter = LEFT_OUT["misdirected"]
    before = counter._value.get()

    for _ in range(100):
        problem_of(memory_site.unsigned(BODY, path="/webhooks"), 404)

    assert len(caplog.records) == PER_MINUTE
    assert counter._value.get() == before + 100 - PER_MINUTE

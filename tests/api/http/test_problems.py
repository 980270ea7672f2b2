"""Problem documents: every error has a kind, a stable type, and says no more than it should."""

from __future__ import annotations

import json
import logging
import pkgutil
import re
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import pytest
from flask import current_app
from flask.testing import FlaskClient
from werkzeug.exceptions import Gone

import api
import domain
import projections
from api.atomic_file import FileNotWritten
from api.errors import NOT_WRITING, BadRequest, InvalidFields, NotWriting, ReadModelBehind, sentence
from api.http.flask_side.app import App
from api.http.problems import documents as problems
from api.http.problems.kinds import KINDS
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from api.wiring import Services, open_services
from domain.errors import (
    InvalidDefinition,
    MilepostError,
    NotFound,
    QueueFull,
    Refused,
    StoreUnavailable,
    Unavailable,
)
from domain.evidence.signed_note import InvalidCheckpoint
from domain.evidence.signing_keys import InvalidKey
from domain.log.connections.sqlite_copy import NotCopied
from domain.log.schema.steps import NoRights, RightsLacking, SchemaBehind, TablesAltered
from domain.log.store import StoreNotEmpty
from domain.transfer.jsonl import CannotOpen, InvalidExport
from projections.read_model.contract import PositionMoved
from projections.rebuilding.contract import RebuildForbidden
from projections.rebuilding.rebuild import RebuildInterrupted, RebuildUnderWay
from projections.tree.contract import TreeMoved
from projections.verification.run import OtherVerification
from projections.views.view import UnreadableDocument
from tests.support.web.site import (
    ADMIN,
    SECRET,
    Site,
    app_over,
    app_over_nothing,
    bearer,
    body_of,
    like_jq,
    problem_of,
    sign,
)

FAMILIES = {MilepostError, BadRequest, Refused, NotFound, Unavailable}
"""Never raised themselves."""
BEFORE_SERVING = {
    InvalidDefinition,
    InvalidSetting,
    NoRights,
    RightsLacking,
    SchemaBehind,
    TablesAltered,
}
"""They stop the start: all of these are read before the first request."""
BEHIND_THE_SCENES = {PositionMoved, TreeMoved, UnreadableDocument}
"""Between projectors, which answer nobody."""
REBUILDING = {RebuildForbidden, RebuildInterrupted, RebuildUnderWay}
"""Of `milepost rebuild`, which says them in one line."""
COMMANDS = {InvalidCheckpoint, InvalidKey, OtherVerification}
"""Of `milepost checkpoint` and `milepost verify`, which say them in one line."""
MOVING = {CannotOpen, FileNotWritten, InvalidExport, NotCopied, StoreNotEmpty}
"""Of `milepost export`, `import`, `backup` and `verify`, which say them in one line."""
TYPES = {
    "agent-not-found",
    "agent-taken",
    "callback-conflict",
    "event-not-found",
    "invalid-fields",
    "invalid-json",
    "invalid-signature",
    "invalid-token",
    "job-already-registered",
    "job-in-progress",
    "job-not-found",
    "log-altered",
    "missing-job-id",
    "missing-scope",
    "missing-status-or-type",
    "missing-token",
    "no-checkpoint-key",
    "no-such-proof",
    "no-such-tree",
    "not-durable-yet",
    "not-in-tree-yet",
    "nothing-to-stop",
    "precondition-failed",
    "queue-full",
    "read-model-behind",
    "read-model-gone",
    "registration-conflict",
    "store-unavailable",
    "too-many-requests",
    "unknown-status",
    "unknown-workflow",
}
"""Published: programs compare with them, so none of them may ever change."""


def everything_that_can_go_wrong() -> set[type[MilepostError]]:
    """Return every class of error in the source."""
    for package in (domain, projections, api):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)

    def below(kind: type[MilepostError]) -> Iterator[type[MilepostError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    ours = ("domain", "projections", "api")
    return {kind for kind in below(MilepostError) if kind.__module__.split(".")[0] in ours}


def test_every_error_that_reaches_a_client_has_a_kind() -> None:
    behind = BEFORE_SERVING | BEHIND_THE_SCENES | REBUILDING | COMMANDS | MOVING
    exempt = FAMILIES | behind

    assert everything_that_can_go_wrong() - exempt == set(KINDS)


def test_types_are_published_once_and_for_ever() -> None:
    slugs = [kind.slug for kind in KINDS.values()]

    assert len(set(slugs)) == len(slugs)
    assert set(slugs) >= TYPES
    assert problems.PREFIX == "urn:milepost:problem:"


def test_every_kind_has_a_title_of_its_own_and_an_error_status() -> None:
    titles = [kind.title for kind in KINDS.values()]

    assert len(set(titles)) == len(titles)
    assert all(400 <= kind.status < 600 for kind in KINDS.values())


def test_an_errors_docstring_is_what_it_says() -> None:
    for kind in KINDS.keys() - {InvalidFields, NotWriting} - set(InvalidFields.__subclasses__()):
        said = sentence(kind())
        assert said
        assert "\n" not in said


# A route that fails


@cache
def _failing_app() -> App:
    app = app_over_nothing()

    def fail() -> str:
        raise current_app.extensions["error"]

    app.add_url_rule("/fail", view_func=fail)
    return app


def failing(services: Services, error: Exception) -> FlaskClient:
    """Return a client of an application with a route that raises."""
    app = app_over(services, _failing_app())
    app.extensions["error"] = error
    return app.test_client()


# Each test makes its error: an error that lasts keeps its traceback, and with it the whole test.
@pytest.mark.parametrize(
    "make",
    [
        *(partial(kind) for kind in KINDS if not issubclass(kind, (InvalidFields, NotWriting))),
        *(
            partial(kind, {"field": ["is wrong"]})
            for kind in KINDS
            if issubclass(kind, InvalidFields)
        ),
        *(partial(NotWriting, reason, 1.0) for reason in NOT_WRITING),
    ],
    ids=lambda make: make.func.__name__,
)
def test_each_error_becomes_the_problem_of_its_kind(
    memory_site: Site, make: partial[MilepostError]
) -> None:
    error = make()
    kind = KINDS[type(error)]

    answer = failing(memory_site.services, error).get("/fail")

    problem = problem_of(answer, kind.status, kind.slug)
    assert problem["title"] == kind.title
    assert problem["instance"] == "/fail"
    assert problem.get("error") == kind.error
    assert ("Retry-After" in answer.headers) == (kind.status == 503 or kind.passes)


@pytest.mark.parametrize(
    "make",
    [partial(ReadModelBehind, "later"), partial(StoreUnavailable, "away"), partial(QueueFull)],
    ids=lambda make: make.func.__name__,
)
def test_what_passes_says_when_to_try_again(
    memory_site: Site, make: partial[MilepostError]
) -> None:
    answer = failing(memory_site.services, make()).get("/fail")

    problem_of(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_an_error_that_was_meant_for_no_client_is_answered_as_a_bug(memory_site: Site) -> None:
    answer = failing(memory_site.services, PositionMoved()).get("/fail")

    problem_of(answer, 500, "internal-error")


def test_a_bug_is_a_500_that_says_nothing_and_logs_everything(
    memory_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client = failing(memory_site.services, ZeroDivisionError("the password is hunter2"))

    answer = client.get("/fail")

    problem = problem_of(answer, 500, "internal-error")
    assert "hunter2" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "log" in problem["detail"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert "hunter2" in str(record.exc_info[1])


def test_every_401_says_how_to_authenticate(memory_site: Site) -> None:
    for answer in (
        memory_site.unsigned(b"{}"),
        memory_site.unsigned(b"{}", {"X-Signature": "wrong"}, "/api/callbacks"),
        memory_site.client.get("/api/jobs"),
        memory_site.client.get("/api/agents/agent-1/instance"),
        memory_site.get("/api/jobs", "wrong"),
    ):
        assert answer.status_code == 401
        scheme, _, parameters = answer.headers["WWW-Authenticate"].partition(" ")
        assert scheme == ("Signature" if "signature" in body_of(answer)["type"] else "Bearer")
        assert parameters.startswith('realm="milepost"')


URI_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~:@!$&'()*+,;=]|%[0-9A-F]{2})*)+")


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/api/jobs/a%20b", "/api/jobs/a%20b"),
        ("/api/jobs/%3Cb%3E%22", "/api/jobs/%3Cb%3E%22"),
        ("/api/jobs/Z%C3%BCrich", "/api/jobs/Z%C3%BCrich"),
        ("/api/jobs/%25zz", "/api/jobs/%25zz"),
        ("/api/jobs/a%3Fb%23c", "/api/jobs/a%3Fb%23c"),
        ("/api/jobs/%5B%5D%7B%7D%7C%5C%5E%60", "/api/jobs/%5B%5D%7B%7D%7C%5C%5E%60"),
        ("/api/jobs/%FF", "/api/jobs/%EF%BF%BD"),
        ("/%E2%80%AE", "/%E2%80%AE"),
        ("/%0d%0aX:y", "/%0D%0AX:y"),
        ("/a:b@c;d,e", "/a:b@c;d,e"),
    ],
)
def test_a_problems_instance_is_a_uri(memory_site: Site, path: str, instance: str) -> None:
    problem = problem_of(memory_site.get(path), 404)

    assert problem["instance"] == instance
    assert URI_PATH.fullmatch(instance)


@pytest.mark.parametrize(
    ("path", "instance"),
    [("//evil.example/x", "/.//evil.example/x"), ("*", None), ("evil.example:443", None)],
)
def test_a_problems_instance_names_no_other_host(path: str, instance: str | None) -> None:
    answer = problems.problem_of(Gone(), "GET", path)

    assert json.loads(answer.body).get("instance") == instance


# What nobody raises on purpose


def test_an_unknown_path_is_not_found(memory_site: Site) -> None:
    for path in ("/nowhere", "/api", "/api/agents/agent-1", "/api/webhooks/gitlab"):
        problem = problem_of(memory_site.client.get(path), 404, "not-found")
        assert problem["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/callbacks", {"POST", "OPTIONS"}),
        ("DELETE", "/api/jobs", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/api/agents/agent-1/instance", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("PUT", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_ones(
    memory_site: Site, method: str, path: str, allowed: set[str]
) -> None:
    answer = memory_site.client.open(path, method=method)

    problem_of(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_a_body_that_is_too_large_has_a_type_of_its_own(memory_site: Site) -> None:
    """By RFC 9110's name for it, in every version of Python."""
    answer = memory_site.callback(b"x" * 1_100_000)

    problem_of(answer, 413, "content-too-large")


def test_every_answer_is_hardened(memory_site: Site) -> None:
    for answer in (
        memory_site.client.get("/livez"),
        memory_site.client.get("/nowhere"),
        memory_site.client.get("/api/docs"),
        memory_site.unsigned(b"{}"),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_no_page_can_be_framed_or_run_a_foreign_script(memory_site: Site) -> None:
    for path in (
        "/",
        "/audit",
        "/audit/job-1",
        "/jobs",
        "/sign-in",
        "/embed/jobs/job-1",
        "/api/docs",
        "/api/docs/assets/oauth2-redirect.html",
        "/audit/",
    ):
        answer = memory_site.client.get(path)

        assert answer.content_type.startswith("text/html"), path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
        answer.close()


# A database that is away


@pytest.fixture(params=["sqlite", "postgresql"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    """Services whose database cannot be reached."""
    no_file = tmp_path / "a-folder-named-hunter2"
    no_file.mkdir()
    url = {
        "sqlite": f"sqlite:///{no_file}",
        "postgresql": f"postgresql://somebody:hunter2@/hunter2?host={tmp_path}",
    }[request.param]
    services = open_services(
        Settings(home=tmp_path, database_url=url, callback_secrets=(SECRET,), admin_token=ADMIN)
    )
    yield services
    services.close()


def test_a_database_that_is_away_is_a_503_without_its_words(
    away: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = app_over(away).test_client()
    raw = like_jq({"job_id": "job-1", "status": "provisioning"})

    answer = client.post("/api/callbacks", data=raw, headers={"X-Signature": sign(raw)})

    problem = problem_of(answer, 503, "store-unavailable")
    assert problem["detail"].startswith("The database does not answer")
    assert answer.headers["Retry-After"] == "2"
    assert "hunter2" not in answer.text
    assert str(tmp_path) not in answer.text
    assert any("POST '/api/callbacks'" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("away", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("/api/jobs/job-1", ADMIN),
        ("/api/jobs/job-1/timeline", ADMIN),
        ("/api/jobs", ADMIN),
        ("/api/jobs?min_position=1", ADMIN),
        ("/api/jobs", "mp_0123456789ab_x"),
        ("/api/agents/agent-1/instance", ADMIN),
        ("/metrics", ADMIN),
        ("/readyz", ""),
    ],
)
def test_no_route_reads_from_a_database_that_is_away(away: Services, path: str, token: str) -> None:
    answer = app_over(away).test_client().get(path, headers=bearer(token))

    problem_of(answer, 503, "store-unavailable")
    assert "hunter2" not in answer.text


def test_a_process_whose_database_is_away_is_still_alive(away: Services) -> None:
    client = app_over(away).test_client()

    assert body_of(client.get("/livez")) == {"status": "alive"}
    raw = b"not json"
    problem_of(
        client.post("/api/callbacks", data=raw, headers={"X-Signature": sign(raw)}),
        400,
        "invalid-json",
    )

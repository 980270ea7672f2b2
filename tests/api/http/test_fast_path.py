"""What is answered at a glance is answered as Flask would have answered it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flask import request, request_started
from werkzeug.test import TestResponse

from api.http.flask_app import App
from api.routes.callbacks import PATHS, glance
from tests.support.site import ADMIN, SECRET, Site, app_over, bearer, like_jq, sign

INSTANCE = "/api/agents/agent-1/instance"
CALLBACK = like_jq({"job_id": "job-1", "status": "provisioning", "callback_id": "delivery-1"})
CONFLICT = like_jq({"job_id": "job-1", "status": "failed", "callback_id": "delivery-1"})


class Asked:
    """A site that was asked the same twice: at a glance, and with Flask alone."""

    def __init__(self, site: Site) -> None:
        self._clients = []
        for glances in (site.app.glances, ()):
            app = app_over(site.services)
            app.glances = glances
            self._clients.append(app.test_client())

    def get(self, path: str, headers: Mapping[str, str]) -> list[TestResponse]:
        return [client.get(path, headers=dict(headers)) for client in self._clients]

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> list[TestResponse]:
        return [client.post(path, data=body, headers=dict(headers)) for client in self._clients]


def alike(answers: list[TestResponse], status: int) -> None:
    at_a_glance, by_flask = answers
    assert at_a_glance.status_code == status, at_a_glance.text
    assert at_a_glance.status == by_flask.status
    assert sorted(at_a_glance.headers) == sorted(by_flask.headers)
    assert at_a_glance.data == by_flask.data


@pytest.fixture
def asked(memory_site: Site) -> Asked:
    """A site with a job whose first callback is redelivered, so that receipts are the same."""
    memory_site.register()
    memory_site.callback(CALLBACK)
    return Asked(memory_site)


def signed(body: bytes) -> dict[str, str]:
    return {"X-Signature": sign(body, SECRET)}


@pytest.mark.parametrize("path", PATHS)
def test_a_callback(asked: Asked, path: str) -> None:
    alike(asked.post(path, CALLBACK, signed(CALLBACK)), 200)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (CALLBACK, {}, 401),
        (CALLBACK, {"X-Signature": "00"}, 401),
        (b"[]", signed(b"[]"), 400),
        (b"", signed(b""), 400),
        (CONFLICT, signed(CONFLICT), 409),
        (b" " * 65_537, signed(b""), 413),
    ],
)
def test_a_callback_that_is_refused(
    asked: Asked, body: bytes, headers: dict[str, str], status: int
) -> None:
    alike(asked.post(PATHS[0], body, headers), status)


def test_a_body_whose_length_is_said_twice(memory_site: Site) -> None:
    """It is not for us to choose between Content-Length and Transfer-Encoding."""
    environ = {
        "PATH_INFO": PATHS[0],
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": str(len(CALLBACK)),
        "HTTP_TRANSFER_ENCODING": "chunked",
    }

    assert glance(environ, memory_site.services) is None


@pytest.mark.parametrize("path", [*(f"{path}/" for path in PATHS), "/api/callback"])
def test_a_callback_to_another_path(asked: Asked, path: str) -> None:
    status = 404 if path == "/api/callback" else 200
    alike(asked.post(path, CALLBACK, signed(CALLBACK)), status)


def test_another_method_on_a_callbacks_path(asked: Asked) -> None:
    alike(asked.get(PATHS[0], bearer(ADMIN)), 405)
    alike(asked.post(INSTANCE, b"", bearer(ADMIN)), 405)


def test_an_instance(asked: Asked) -> None:
    alike(asked.get(INSTANCE, bearer(ADMIN)), 200)
    alike(asked.get(f"{INSTANCE}?fresh=1", bearer(ADMIN)), 200)
    alike(asked.get(f"{INSTANCE}?", bearer(ADMIN)), 200)


def test_an_instance_of_another_moment(asked: Asked) -> None:
    """A question goes the full way; without it the page would be shown the present."""
    alike(asked.get(f"{INSTANCE}?version=1", bearer(ADMIN)), 200)
    alike(asked.get(f"{INSTANCE}?version=9", bearer(ADMIN)), 404)
    present, past = (
        asked.get(INSTANCE, bearer(ADMIN)),
        asked.get(f"{INSTANCE}?version=1", bearer(ADMIN)),
    )
    assert present[0].data != past[0].data


@pytest.mark.parametrize("condition", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
def test_an_instance_that_is_known(asked: Asked, condition: str) -> None:
    tag = asked.get(INSTANCE, bearer(ADMIN))[0].headers["ETag"]
    headers = {**bearer(ADMIN), "If-None-Match": condition.format(tag=tag)}

    alike(asked.get(INSTANCE, headers), 304)


@pytest.mark.parametrize(
    ("agent", "headers", "status"),
    [
        ("agent-1", {}, 401),
        ("agent-1", {"Authorization": "Basic YTpi"}, 401),
        ("agent-1", bearer("mp_wrong_token"), 401),
        ("agent-2", bearer(ADMIN), 404),
        ("agent%202", bearer(ADMIN), 404),
        ("agent%2F1", bearer(ADMIN), 404),
        ("%C3%A4", bearer(ADMIN), 404),
        ("a" * 201, bearer(ADMIN), 404),
    ],
)
def test_an_instance_that_is_not_shown(
    asked: Asked, agent: str, headers: dict[str, str], status: int
) -> None:
    alike(asked.get(f"/api/agents/{agent}/instance", headers), status)


def test_a_token_without_the_scope_or_of_another_user(memory_site: Site) -> None:
    memory_site.register()
    asked = Asked(memory_site)

    alike(asked.get(INSTANCE, bearer(memory_site.token("write"))), 403)
    alike(asked.get(INSTANCE, bearer(memory_site.token("read", user_id="user-2"))), 404)
    alike(asked.get(INSTANCE, bearer(memory_site.token("read", user_id="user-1"))), 200)


def test_plain_requests_do_not_reach_flask(memory_site: Site) -> None:
    """Or all of the above would compare Flask with itself."""
    memory_site.register()
    reached: list[str] = []

    def hear(_: App, **__: object) -> None:
        reached.append(request.path)

    with request_started.connected_to(hear, memory_site.app):
        assert memory_site.callback(CALLBACK).status_code == 200
        assert memory_site.get(INSTANCE).status_code == 200
        assert memory_site.get("/api/jobs").status_code == 200

    assert reached == ["/api/jobs"]

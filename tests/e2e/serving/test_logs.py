"""The log of a real server: every line of it is JSON when that is set."""

from __future__ import annotations

import json

import pytest

from tests.support.processes.server import Make


@pytest.mark.parametrize(
    ("secrets", "options"), [("configured", ()), ("generated", ()), ("configured", ("--wsgi",))]
)
def test_every_line_of_a_server_is_json_and_has_no_secret(
    make_server: Make, secrets: str, options: tuple[str, ...]
) -> None:
    server = make_server(None, *options)
    server.env["MILEPOST_LOG_FORMAT"] = "json"
    if secrets == "generated":
        del server.env["MILEPOST_CALLBACK_SECRET"], server.env["MILEPOST_ADMIN_TOKEN"]
    server.start()
    if secrets == "configured":
        answer = server.callback({"job_id": "job-1", "status": "odd"}, **{"X-Request-Id": "req-1"})
    else:
        answer = server.request("POST", "/api/callbacks", b"{}", {"X-Request-Id": "req-1"})
    assert answer.headers["x-request-id"] == "req-1"
    assert server.stop() == 0

    text = server.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]

    assert server.url in {line.get("url") for line in lines}
    assert {line["level"] for line in lines} <= {"info", "warning"}
    assert "req-1" in {line.get("request_id") for line in lines}
    home = server.home / "milepost"
    for name in ("callback-secret", "admin-token", "job-key-secret", "link-secret"):
        if (home / name).exists():
            assert (home / name).read_text(encoding="utf-8").strip() not in text

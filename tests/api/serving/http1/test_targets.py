"""Targets: the parts of what a request asks for."""

from __future__ import annotations

from api.serving.http1 import targets
from api.serving.http1.targets import SHORT_BYTES, Target, target_of


def test_a_target_has_a_path_and_a_query() -> None:
    sent = b"/api/jobs/a%20b?limit=5&link=secret&tag=%20"

    assert target_of(sent) == Target(
        b"/api/jobs/a b",
        b"limit=5&link=secret&tag=%20",
        "/api/jobs/a b",
        "limit=5&tag=%20",
        "secret",
    )


def test_a_target_that_names_its_origin_means_its_path() -> None:
    assert target_of(b"http://milepost.example/livez?x")[:2] == (b"/livez", b"x")
    assert target_of(b"http://milepost.example").text == "/"


def test_neither_a_secret_nor_a_long_target_is_remembered() -> None:
    targets._remembered.cache_clear()

    target_of(b"/api/jobs/1?link=secret")
    target_of(b"/" + b"x" * SHORT_BYTES)
    assert targets._remembered.cache_info().currsize == 0

    target_of(b"/api/jobs/1")
    assert targets._remembered.cache_info().currsize == 1

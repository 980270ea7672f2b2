"""The OpenAPI document is made when somebody asks for it, and not when the application is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from marshmallow import Schema

from api.app import create_app
from api.http.flask_side.app import App
from api.http.flask_side.blueprint import Blueprint
from api.settings.settings import Settings


@pytest.fixture
def app() -> App:
    """An application whose document no client has asked for yet."""
    nothing: Any = SimpleNamespace(settings=Settings(home=Path("unused"), database_url=""))
    return create_app(nothing)


def document_of(app: App) -> dict[str, Any]:
    """Return what the application has documented so far."""
    documented: dict[str, Any] = app.extensions["flask-smorest"]["apis"][""][
        "ext_obj"
    ].spec.to_dict()
    return documented


def within(documented: object) -> Iterator[object]:
    """Yield everything in nested dictionaries and lists."""
    yield documented
    if isinstance(documented, dict):
        for each in documented.values():
            yield from within(each)
    if isinstance(documented, list):
        for each in documented:
            yield from within(each)


def test_an_application_documents_its_routes_once_somebody_asks(app: App) -> None:
    assert document_of(app)["paths"] == {}

    answer = app.test_client().get("/api/openapi.json")

    assert answer.json
    assert "/api/jobs" in answer.json["paths"]
    assert answer.json == document_of(app)


def test_all_who_ask_first_get_the_same_whole_document(app: App) -> None:
    def ask(_: int) -> tuple[int, bytes]:
        answer = app.test_client().get("/api/openapi.json")
        return answer.status_code, answer.data

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(8)))

    assert len(answers) == 1
    assert {status for status, _ in answers} == {200}


def test_answers_are_documented_by_the_classes_of_their_schemas(app: App) -> None:
    """Each decorator of a view copies what is documented so far, and copies classes for nothing."""
    blueprints = [each for each in app.blueprints.values() if isinstance(each, Blueprint)]
    answers = [
        operation["response"]
        for blueprint in blueprints
        for endpoint in blueprint._docs.values()
        for operation in endpoint.values()
        if operation and "response" in operation
    ]

    assert len(answers) > 30
    assert [each for each in within(answers) if isinstance(each, Schema)] == []

"""The blueprint that all routes use: flask-smorest's, with our strictness and our problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import flask_smorest
from flask import Request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from api.errors import InvalidFields
from api.http.access import needs
from api.http.bodies import whole_body
from api.http.json_body import parse_object
from api.schemas.answers import ProblemSchema
from api.tokens import Scope

PROBLEM: Final = "application/problem+json"
View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Read bodies with `parse_object` and raise `InvalidFields` for what a schema refuses."""

    DEFAULT_VALIDATION_STATUS = 400
    # The schemas say themselves what becomes of unknown names.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the body's object, whatever its content type says."""
        return parse_object(whole_body())

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Name the faulty fields, without webargs' level for the location."""
        messages: Any = error.messages
        faults = next(iter(messages.values())) if isinstance(messages, dict) else messages
        raise InvalidFields(faults if isinstance(faults, dict) else {"_schema": faults})


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose arguments are read strictly and whose views return responses.

    What describes a view adds to its documentation and nothing to its calls.
    """

    ARGUMENTS_PARSER = StrictParser()

    def doc(self, **described: Any) -> Callable[[View], View]:
        """Add to the view's documentation."""
        return _only_documenting(super().doc(**described))

    def response(self, *args: Any, **described: Any) -> Callable[[View], View]:
        """Document what the view answers with."""
        return _only_documenting(super().response(*args, **described))

    def alt_response(self, *args: Any, **described: Any) -> Callable[[View], View]:
        """Document what else the view may answer with."""
        return _only_documenting(super().alt_response(*args, **described))

    def needs(self, scope: Scope) -> Callable[[View], View]:
        """Let a view be called only with a token that grants the scope, and document that."""

        def decorate(view: View) -> View:
            told = self.problem(401, "No token, or not a valid one")(view)
            told = self.problem(403, "The token does not allow this")(told)
            secured: View = self.doc(security=[{"bearer": []}])(needs(scope)(told))  # type: ignore[assignment]
            return secured

        return decorate

    def problem(self, status: int, description: str) -> Callable[[View], View]:
        """Document that a view may answer with this problem."""
        return self.alt_response(
            status, schema=ProblemSchema, content_type=PROBLEM, description=description
        )


def _only_documenting(decorate: Callable[[Any], Any]) -> Callable[[View], View]:
    # flask-smorest wraps the view once for every answer that is described, which every call pays.
    def document(view: View) -> View:
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
        return view

    return document

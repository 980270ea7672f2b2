"""The blueprint of all routes: flask-smorest's, with strict parsing and problem documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

import flask_smorest
from flask import Request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from api.errors import InvalidFields
from api.http.bodies import whole_body
from api.http.callers.access import needs
from api.intake.strict_json import parse_object
from api.schemas.answers import ProblemSchema
from api.tokens import Scope

PROBLEM: Final = "application/problem+json"
PROBLEM_SCHEMA: Final = ProblemSchema()
TEXT: Final = {"type": "string"}
"""The schema of an answer that is no JSON."""
TOO_MANY: Final = "This user or token waits for too many answers already"
UNAVAILABLE: Final = "The database is away, or the server is busy or about to end; try again"
IF_NONE_MATCH: Final = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "The ETag of the body that you have: if it is current, the answer is a 304",
}
TAGGED: Final = {
    "ETag": {"schema": {"type": "string"}, "description": "The tag of this body, in quotes"}
}
"""Headers of an answer that a client may ask for conditionally."""
PAGED: Final = {
    "Link": {"schema": {"type": "string"}, "description": '`<…>; rel="next"`, if there are more'}
}
"""Headers of a page."""
LOCATION: Final = {
    "Location": {"schema": {"type": "string"}, "description": "The path of what was made"}
}
"""Headers of an answer to a registration."""
BY_TOKEN: Final[dict[str, list[str]]] = {"bearer": []}
BY_SESSION: Final[dict[str, list[str]]] = {"session": []}
BY_LINK: Final[dict[str, list[str]]] = {"link": []}
"""Proofs of who asks, by the names of their schemes in the document."""
LINKED: Final = (BY_TOKEN, BY_SESSION, BY_LINK)
"""The proofs of routes that somebody can make a link to."""
View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Read bodies with `parse_object`; raise `InvalidFields` if a schema refuses a value."""

    DEFAULT_VALIDATION_STATUS = 400
    # Each schema itself says how it treats unknown names.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the body's object; ignore its content type.

        Where no field is required, no body means no field.
        """
        body = whole_body()
        if not body and not any(field.required for field in schema.fields.values()):
            return {}
        return parse_object(body)

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise the faults by field, without webargs' level for the location."""
        messages: Any = error.messages
        faults = next(iter(messages.values())) if isinstance(messages, dict) else messages
        raise InvalidFields(faults if isinstance(faults, dict) else {"_schema": faults})


class Blueprint(flask_smorest.Blueprint):
    """A blueprint that reads arguments strictly and whose views return responses.

    Decorators that describe a view document it, and add nothing to its calls.
    """

    ARGUMENTS_PARSER = StrictParser()

    def doc(self, **described: Any) -> Callable[[View], View]:
        """Add to the view's documentation."""
        return _only_documenting(super().doc(**described))

    def response(
        self,
        status: int,
        schema: type[Schema] | Mapping[str, object] | None = None,
        **described: Any,
    ) -> Callable[[View], View]:
        """Document the view's answer."""
        return _only_documenting(super().response(status, schema, **described))

    def alt_response(self, *args: Any, **described: Any) -> Callable[[View], View]:
        """Document another possible answer of the view."""
        return _only_documenting(super().alt_response(*args, **described))

    def route(self, rule: str, *, operation: str, **options: Any) -> Callable[[View], View]:
        """Answer requests for this path; generated clients call it by the operation's name."""
        answer = super().route(rule, **options)

        def decorate(view: View) -> View:
            # The documentation is copied at once, so one view may have two paths.
            answered: View = answer(self.doc(operationId=operation)(view))
            return answered

        return decorate

    def arguments(
        self,
        schema: Any,
        *,
        location: str = "json",
        reads: Schema | None = None,
        **described: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Read the request's arguments and document them.

        `reads` is a schema that also understands what older clients send, which is not documented.
        """
        document = _only_documenting(super().arguments(schema, location=location, **described))
        parse = self.ARGUMENTS_PARSER.use_args(reads or schema, location=location)

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            documented = document(self.problem(400, "Malformed")(view))
            if location == "json":
                documented = self.problem(413, "Larger than 1 MiB")(documented)
            parsed: Callable[..., Any] = parse(documented)
            return parsed

        return decorate

    def conditional(self, view: View) -> View:
        """Document that a client which sends the ETag that it has may get a 304."""
        documented = self.alt_response(304, description="Not modified")(view)
        return self.parameter(IF_NONE_MATCH)(documented)

    def parameter(self, described: dict[str, Any]) -> Callable[[View], View]:
        """Document a parameter that the view reads itself."""

        def document(view: View) -> View:
            # `doc` would put it in the place of the parameters that `arguments` documents.
            documented = self.doc()(view)
            arguments = documented._apidoc.setdefault("arguments", {})  # type: ignore[attr-defined]
            arguments.setdefault("parameters", []).append(described)
            return documented

        return document

    def needs(
        self, scope: Scope, *, by: Sequence[dict[str, list[str]]] = ()
    ) -> Callable[[View], View]:
        """Call the view only for a caller whom the scope is granted to; document that.

        `by` are the proofs that the document names. By default these are a token and a session for
        the scope `read`, and a token for others.
        """
        proofs = by or ((BY_TOKEN, BY_SESSION) if scope == "read" else (BY_TOKEN,))

        def decorate(view: View) -> View:
            documented = self.problem(401, "The token is missing or invalid")(view)
            documented = self.problem(403, "The token lacks the scope")(documented)
            documented = self.problem(429, TOO_MANY)(documented)
            documented = self.problem(503, UNAVAILABLE)(documented)
            secured: View = self.doc(security=list(proofs))(needs(scope)(documented))  # type: ignore[assignment]
            return secured

        return decorate

    def problem(self, status: int, description: str) -> Callable[[View], View]:
        """Document that a view may answer with this problem."""
        return self.alt_response(
            status, schema=PROBLEM_SCHEMA, content_type=PROBLEM, description=description
        )

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        # Every decorator copies all that is documented so far: an instance with each of its fields,
        # a class not at all. The copies of instances took 150 ms of each start.
        return type(schema) if isinstance(schema, Schema) else schema


def _only_documenting(decorate: Callable[[Any], Any]) -> Callable[[View], View]:
    # flask-smorest wraps the view once for every described answer, and every call pays for that.
    def document(view: View) -> View:
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
        return view

    return document

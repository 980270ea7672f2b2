"""The OpenAPI document, generated from the schemas."""

from __future__ import annotations

from importlib.metadata import version
from threading import Lock
from typing import Any, Final

from flask import Blueprint, Flask, Response, json, request
from flask_smorest import Api
from flask_smorest import Blueprint as DocumentedBlueprint
from werkzeug.routing import IntegerConverter

from api.http.callers.cookies import NAME
from api.http.flask_side.paths import IdConverter
from api.schemas.answers import ProblemSchema
from api.schemas.ids import MAX_ID
from domain.log.reading.contract import NEWEST

bp = Blueprint("docs", __name__)

CONFIG: Final = {
    "API_TITLE": "Milepost",
    "API_VERSION": version("milepost"),
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api",
    "OPENAPI_JSON_PATH": "openapi.json",
}

OF_SESSION = "the cookie of a browser that has signed in; `__Host-milepost_session` over TLS"
OF_LINK = "a signed link, which POST /api/jobs/{job_id}/links makes; for one path"
DESCRIPTION = """\
Workflows post **callbacks**. Milepost verifies each one, appends it to the history of its job, and
answers with a receipt. Pages and programs read the state that the history adds up to. Errors are
problem documents (RFC 9457) with a stable `type`. Reads need a bearer token; callbacks need a
signature.

A later release may add members to any object of an answer, and words to any list of known words. A
client must pass over what it does not know. No release removes or renames a member, and what
`required` names is always there.
"""


MOST_WRITTEN: Final = 8
"""For how many prefixes the written document is remembered."""
OF_AN_ID: Final = {"minLength": 1, "maxLength": MAX_ID}
OF_A_VERSION: Final = {"format": "int64", "minimum": 0, "maximum": NEWEST}


class DocumentedApi(Api):
    """An API that documents its errors as problem documents, once somebody asks for the document.

    To make the document takes longer than all else that an application needs, and most processes
    are never asked for it.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, **options: Any) -> None:
        super().__init__(app, **options)
        self._undocumented: list[DocumentedBlueprint] = []
        self._written: dict[str, bytes] = {}
        self._documenting = Lock()

    def register_blueprint(self, blueprint: DocumentedBlueprint) -> None:
        """Register the routes of a blueprint with the application."""
        self._app.register_blueprint(blueprint)
        self._undocumented.append(blueprint)

    def _openapi_json(self) -> Response:
        # Anybody may ask for the document, and to write it takes 20 ms: it is written once for each
        # prefix under which a proxy serves it.
        prefix = request.root_path
        with self._documenting:
            if prefix not in self._written:
                if len(self._written) >= MOST_WRITTEN:
                    self._written.clear()
                self._written[prefix] = self._document(prefix)
            return Response(self._written[prefix], mimetype="application/json")

    def _document(self, prefix: str) -> bytes:
        while self._undocumented:
            blueprint = self._undocumented.pop(0)
            blueprint.register_views_in_doc(
                self, self._app, self.spec, name=blueprint.name, parameters=None
            )
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        # The paths of the document follow the address of their server.
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        written = json.dumps({**self.spec.to_dict(), **servers}, indent=2, sort_keys=False)
        return written.encode()


def api(app: Flask) -> Api:
    """Return the API that documents its routes in the application."""
    app.config.update(CONFIG)
    made = DocumentedApi(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    made.register_converter(IdConverter, lambda _: {"type": "string", **OF_AN_ID})
    made.register_converter(IntegerConverter, lambda _: {"type": "integer", **OF_A_VERSION})
    schemes = made.spec.components
    schemes.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    # The name has a prefix over TLS; see docs/setup/signing-in.md.
    session = {"type": "apiKey", "in": "cookie", "name": NAME, "description": OF_SESSION}
    schemes.security_scheme("session", session)
    link = {"type": "apiKey", "in": "query", "name": "link", "description": OF_LINK}
    schemes.security_scheme("link", link)
    for header, description in (
        ("X-Signature", "lower-case hex of HMAC-SHA256(secret, body)"),
        ("X-Hub-Signature-256", "`sha256=` and the same hex"),
    ):
        scheme = {"type": "apiKey", "in": "header", "name": header, "description": description}
        schemes.security_scheme(header.lower(), scheme)
    schemes.security_scheme(
        "standard-webhooks",
        {
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "Standard Webhooks, with webhook-id and webhook-timestamp",
        },
    )
    return made


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Answer a browser's request for an icon with no content."""
    return Response(status=204)

"""The page that shows the OpenAPI document. It works offline."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

from api.pages.policy import page

bp = Blueprint("reference_page", __name__, template_folder="templates")

ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"


@bp.get("/api/docs")
def reference() -> Response:
    """Serve the page; its script reads the document."""
    return page("reference.html")


@bp.get("/api/docs/assets/<path:name>")
def assets(name: str) -> Response:
    """Serve the files of Swagger UI."""
    return send_from_directory(ASSETS, name)

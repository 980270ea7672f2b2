"""Pages for people: they hold no data, and ask the API for it with the reader's own token."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template

bp = Blueprint(
    "pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

# What a callback said is shown as text only; should that ever fail, nothing foreign runs.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@bp.get("/audit", defaults={"job_id": ""})
@bp.get("/audit/<id:job_id>")
def audit(job_id: str) -> Response:
    """Serve the page on which a person reads a job's history; its script reads the address."""
    page = make_response(render_template("audit.html"))
    page.headers["Content-Security-Policy"] = POLICY
    return page

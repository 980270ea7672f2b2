"""The audit page. It contains no data: its script reads the API with the reader's own token."""

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

# The script shows a sender's text as text only. If that ever fails, this policy still forbids
# foreign scripts.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@bp.get("/audit", defaults={"job_id": ""})
@bp.get("/audit/<id:job_id>")
def audit(job_id: str) -> Response:
    """Serve the page with a job's history; its script reads the job's id from the address."""
    page = make_response(render_template("audit.html"))
    page.headers["Content-Security-Policy"] = POLICY
    return page

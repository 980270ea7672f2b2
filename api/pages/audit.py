"""The audit page. It contains no data: its script reads the API with the reader's own token."""

from __future__ import annotations

from flask import Blueprint, Response

from api.pages.policy import page

bp = Blueprint(
    "pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)


@bp.get("/audit", defaults={"job_id": ""})
@bp.get("/audit/<id:job_id>")
def audit(job_id: str) -> Response:
    """Serve the page with a job's history; its script reads the job's id from the address."""
    return page("audit.html")

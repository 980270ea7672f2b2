"""What a page may do in a browser, said in its headers; and how a template becomes a page."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from flask import Response, make_response, render_template

# The pages show a sender's text as text only. If that ever fails, this policy still forbids
# foreign scripts, and no other site can show the page in a frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
NAME: Final = "Content-Security-Policy"


def framed_by(origins: Sequence[str]) -> str:
    """Return the policy of a page that pages of these origins may show in a frame."""
    return POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(origins)}")


def page(
    template: str,
    status: int = HTTPStatus.OK,
    headers: Sequence[tuple[str, str]] = (),
    **values: Any,
) -> Response:
    """Return the page of a template, with the policy."""
    made = make_response(render_template(template, **values), status)
    made.headers[NAME] = POLICY
    made.headers.extend(headers)
    return made

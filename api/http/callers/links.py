"""The link in a request's URL. It is taken out of the query before anything else reads that.

So no view, no log line and no `Link` header of a next page has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.links import NAME

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GIVEN: Final = f"{NAME}="
KEY: Final = "milepost.link"
"""Where a WSGI environment has the link, once it is taken out."""


def without_link(query: str) -> tuple[str, str | None]:
    """Return a query without its link, and the link; None if it has none.

    Of several, all are taken out, and together they are no link.
    """
    if GIVEN not in query:
        return query, None
    parts = query.split("&")
    found = [part[len(GIVEN) :] for part in parts if part.startswith(GIVEN)]
    rest = "&".join(part for part in parts if not part.startswith(GIVEN))
    return rest, ",".join(found) if found else None


def take_link(environ: WSGIEnvironment) -> None:
    """Take the link out of the query of a WSGI environment."""
    environ["QUERY_STRING"], link = without_link(environ.get("QUERY_STRING", ""))
    if link is not None:
        environ[KEY] = link
        # Some servers also pass the whole target to the application, as the client sent it.
        for name in ("REQUEST_URI", "RAW_URI"):
            environ.pop(name, None)

"""Pages: the Link header that names the next one (RFC 8288)."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import request


def next_page(**cursor: object) -> tuple[str, str]:
    """Return the header that leads on from this request, with the cursor in place of its own."""
    given = [pair for pair in request.args.items(multi=True) if pair[0] not in cursor]
    query = urlencode([*given, *cursor.items()])
    return "Link", f'<{quote(request.path)}?{query}>; rel="next"'

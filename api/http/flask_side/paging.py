"""Paging: the Link header of the next page (RFC 8288)."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import request


def next_page(**cursor: object) -> tuple[str, str]:
    """Return the Link header of the next page: this request's query with the next cursor."""
    given = [pair for pair in request.args.items(multi=True) if pair[0] not in cursor]
    query = urlencode([*given, *cursor.items()])
    return "Link", f'<{quote(request.root_path + request.path)}?{query}>; rel="next"'

"""The answer to a request that the server refuses before it is whole."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from api.http.callers.proxies import Proxies
from api.http.messages import Answer
from api.http.problems.documents import problem_of
from api.serving.http1.incoming import Ends
from api.serving.http1.reading import Reader

MAX_NAMED: Final = 1024
"""How many bytes of the request's path the answer names."""


def refusal_of(error: Exception, reader: Reader, ends: Ends, proxies: Proxies) -> Answer:
    """Return the problem document for the request that this reader has begun to read."""
    asked = unquote(reader.target.partition(b"?")[0][:MAX_NAMED].decode("latin-1"))
    prefix, path = proxies.split(asked, ends.client[0], None)
    return problem_of(error, reader.method, path, prefix)

"""What schemathesis loads: with it, most of its callbacks are authentic, and most ids are there."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from api.http.callback_paths import CALLBACK_PATHS, OF_ONE_JOB
from tests.drill.fuzzing.run import KNOWN
from tests.support.processes.server import SECRET

OTHER_SCHEMES: Final = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "X-Hub-Signature-256",
)


class Signing(AuthBase):
    """Signs the bytes that are sent, by the one scheme that needs no time."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature."""
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        assert isinstance(raw, bytes)
        for name in OTHER_SCHEMES:
            request.headers.pop(name, None)
        signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        request.headers["X-Signature"] = signature
        return request


@schemathesis.hook
def map_path_parameters(_: object, path_parameters: Any) -> Any:
    """Put an id that is there in the place of two ids of three."""
    if not isinstance(path_parameters, dict):
        return path_parameters
    return {name: known(name, value) for name, value in path_parameters.items()}


def known(name: str, value: Any) -> Any:
    """Return the value, or an id that is there; always the same for a value, which may shrink."""
    ids, number = KNOWN.get(name, ()), len(str(value))
    return ids[number % len(ids)] if ids and number % 3 else value


signed = schemathesis.auth.set_from_requests(Signing())  # type: ignore[attr-defined]
signed.apply_to(path=[*CALLBACK_PATHS, f"{OF_ONE_JOB}{{job_id}}"])

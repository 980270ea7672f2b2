"""The baselines of the measurements."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from flask import abort, request

from bench.stage import SECRET


def verified() -> dict[str, Any]:
    """Return the request's callback; abort with 401 if its signature is wrong."""
    body = request.get_data()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        abort(401)
    callback: dict[str, Any] = json.loads(body)
    return callback

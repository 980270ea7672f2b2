"""What Milepost is measured against."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from flask import abort, request

from bench.stage import SECRET


def verified() -> dict[str, Any]:
    """Return the callback in the request, as every baseline does first; 401 if it is not signed."""
    body = request.get_data()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
        abort(401)
    told: dict[str, Any] = json.loads(body)
    return told

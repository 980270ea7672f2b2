"""Plain values: what almost every callback gives for its fields, and nobody has to bend."""

from __future__ import annotations

import re
from typing import Final

from api.intake.bending import FIELDS, MAX_ERROR, MAY_BE_UNFILLED
from api.intake.no_values import NO_VALUES, PLACEHOLDERS, QUOTED, QUOTES, SPACES
from api.schemas.ids import MAX_ID, PLAIN_ID
from domain.job.callback import HEARTBEAT, STATUSES

_NO_VALUE: Final = "|".join(map(re.escape, NO_VALUES))
_NO_NAME: Final = "|".join((_NO_VALUE, *PLACEHOLDERS, QUOTED))
_ITS_FIRST: Final = re.escape("".join(sorted({*(word[:1] for word in NO_VALUES), *"${%"})))
_TRIMMED: Final = re.compile(
    # Most names begin otherwise than what stands for no value, and need no look ahead.
    rf"(?:[^\x00-\x20\x7f{_ITS_FIRST}]|(?!(?:{_NO_NAME})\Z)[{_ITS_FIRST}])"
    rf"[^\x00-\x1f\x7f]{{0,{MAX_ID - 1}}}(?<! )"
)
_TYPE: Final = re.compile(
    rf"{HEARTBEAT}|(?![ {QUOTES}]*(?i:{HEARTBEAT}))[^\x00-\x1f\x7f]{{1,{MAX_ID}}}"
)

_STEP: Final = re.compile(rf"(?! |(?:{QUOTED})\Z)[^\x00-\x1f\x7f]{{1,{MAX_ID}}}(?<! )")
_ERROR: Final = re.compile(
    # The possessive quantifiers keep an error of many spaces linear.
    rf"(?![{SPACES}]*+(?:{_NO_VALUE})[{SPACES}]*+\Z)(?s:.{{1,{MAX_ERROR}}})"
)

PATTERNS: Final = {
    **dict.fromkeys(FIELDS, PLAIN_ID),
    **dict.fromkeys((*MAY_BE_UNFILLED, "callback_id"), _TRIMMED),
    "type": _TYPE,
    "step": _STEP,
    "error": _ERROR,
    "status": re.compile("|".join(STATUSES)),
    "run_attempt": re.compile("0|[1-9][0-9]{0,8}"),
}
"""What a plain value of each field is. Any other value is bent, which may leave it as it is."""

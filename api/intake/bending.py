"""Bending: how the value of each known field is made to fit, and what is said of it.

A bender takes what a callback gave. It returns the value to record, None for an absent one, and
how it changed the value. It raises `Unusable` if the callback cannot be used with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from api.intake import ci_words
from api.intake.lenient_json import UNSTORABLE, storable
from api.intake.no_values import QUOTED, QUOTES, SPACES, Reason, placeholder, word_for_nothing
from api.schemas.ids import MAX_ID, MAX_RUN_ATTEMPT, PLAIN_ID, hashed, is_printable
from api.schemas.times import sent_time
from domain.job.callback import HEARTBEAT, STATUSES
from domain.job.long_text import without_middle

SPELLINGS: Final = {"canceled": "cancelled"}
MAX_ERROR: Final = 65_536
"""An error has at most this many characters; of a longer one, head and tail are kept."""
LARGEST_WHOLE_FLOAT: Final = 2**53
EARLIEST: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
LATEST_AHEAD: Final = timedelta(hours=24)
TRIMMED: Final = "had white space around it, which was left out"
_WHITE: Final = re.compile("[\t\n\v\f\r]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_QUOTED: Final = re.compile(QUOTED)
_DIGITS: Final = re.compile(r"(\d{1,10})(?:\.0{1,9})?", re.ASCII)


class Fit(NamedTuple):
    """A value that can be recorded. `how` says how it was changed, empty if it was not."""

    value: Any
    how: str = ""


Bender: TypeAlias = Callable[[Any], Fit]


class Unusable(Exception):
    """The callback cannot be used with this value."""


def name(given: Any) -> Fit:
    """Bend a name: one line of at most 200 characters."""
    text = _text(given)
    if text is not None and not is_printable(text):
        text = _CONTROL.sub("\ufffd", _WHITE.sub(" ", text)).strip()
    text = storable(text) or None
    if text and len(text) > MAX_ID:
        return Fit(text[: MAX_ID - 1] + "…", f"was cut to {MAX_ID} characters")
    return _fit(given, text, "had control characters, which were replaced")


def error(given: Any) -> Fit:
    """Bend an error's text: of a long one, the head and the tail are kept."""
    text = storable(_text(given))
    if text and len(text) > MAX_ERROR:
        cut = without_middle(text, MAX_ERROR, "were left out here")
        return Fit(cut, f"was cut in its middle to {MAX_ERROR:,} characters")
    return _fit(given, text)


def unless(reason: Reason, bender: Bender) -> Bender:
    """Return the bender, but for a text that is no value for this reason: it counts as absent."""

    def bend(given: Any) -> Fit:
        if isinstance(given, str) and (why := reason(given.strip(SPACES))):
            return Fit(None, f"{why}, so it counts as absent")
        return bender(given)

    return bend


def filled_in(bender: Bender) -> Bender:
    """Return the bender, but for placeholders and for what tools write where there is no value."""
    return unless(placeholder, unless(word_for_nothing, bender))


def unquoted(bender: Bender) -> Bender:
    """Return the bender, but for quotation marks around a text: they are left out."""

    def bend(given: Any) -> Fit:
        if isinstance(given, str) and _QUOTED.fullmatch(text := given.strip(SPACES)):
            fit = bender(text[1:-1].strip(SPACES))
            return Fit(fit.value, fit.how or "had quotation marks around it, which were left out")
        return bender(given)

    return bend


def trimmed_name(given: Any) -> Fit:
    """Bend the name of a step, a machine or an address, which has no white space around it."""
    return _trimmed(given, name)


def identity(given: Any) -> Fit:
    """Bend the id of a run or a delivery. An id is never cut: its SHA-256 takes its place."""
    text = _text(given)
    if text and not is_plain(text):
        return Fit(hashed(text), "cannot be stored as it is, so its SHA-256 is stored")
    return _fit(given, text)


def run_id(given: Any) -> Fit:
    """Bend the id of a run, which the seed contract allows to be a whole number."""
    return Fit(str(given)) if type(given) is int else _trimmed(given, identity)


def job_id(given: Any) -> Fit:
    """Bend a job's id: a number becomes text; what else is no plain text is unusable.

    No id has a line break, so one at an end is left out. A space may belong to the id.
    """
    if isinstance(given, (bool, list, dict)):
        raise Unusable("Not a text or a number.")
    text = _text(given)
    if text and not is_plain(text) and is_plain(trimmed := text.strip(SPACES)):
        return Fit(trimmed, TRIMMED)
    if text and len(text) > MAX_ID:
        raise Unusable(f"Longer than maximum length {MAX_ID}.")
    if text and not is_plain(text):
        raise Unusable(f"Has a character that an id cannot have: {text!r}.")
    return _fit(given, text)


def status(given: Any) -> Fit:
    """Bend a status: only another spelling of a known one is understood."""
    if isinstance(given, str):
        word = SPELLINGS.get(spelling := _plain_word(given), spelling)
        if word in STATUSES:
            return Fit(word) if word == given else _spelt(word)
    text = _text(given)
    if text is None:
        return _fit(given, text)
    said = f"Unknown status {text[:60]!r}; known are {', '.join(STATUSES)}."
    meant = " or ".join(map(repr, ci_words.meant(text)))
    raise Unusable(f"{said} Did you mean {meant}?" if meant else said)


def kind(given: Any) -> Fit:
    """Bend a type: another spelling of `heartbeat` is understood, any other type is a name."""
    if isinstance(given, str) and given != HEARTBEAT and _plain_word(given) == HEARTBEAT:
        return _spelt(HEARTBEAT)
    return name(given)


def run_attempt(given: Any) -> Fit:
    """Bend the number of a run's attempt, a whole number from 0; texts of digits are understood."""
    number = given
    if isinstance(given, str) and (digits := _DIGITS.fullmatch(given.strip())):
        number = int(digits[1])
    if isinstance(given, float) and given.is_integer():
        number = int(given)
    if type(number) is int and 0 <= number <= MAX_RUN_ATTEMPT:
        return Fit(number)
    return Fit(None, "was left out: it is no whole number from 0")


def occurred_at(clock: Callable[[], datetime]) -> Bender:
    """Return the bender of a sender's time, which lies between 2000 and 24 hours from now."""

    def bend(given: Any) -> Fit:
        try:
            return Fit(sent_time(given, EARLIEST, clock() + LATEST_AHEAD))
        except ValueError:
            if _is_naive(given):
                return Fit(None, "was left out: it has no offset; end it with Z or with +01:00")
            return Fit(
                None,
                "was left out: it is no time like 2026-03-02T14:03:00Z between 2000-01-01 and 24 "
                "hours from now",
            )

    return bend


def _is_naive(given: Any) -> bool:
    try:
        return isinstance(given, str) and datetime.fromisoformat(given.strip()).tzinfo is None
    except ValueError:
        return False


def is_absent(value: Any) -> bool:
    """Tell whether a field says nothing.

    Bodies come from `jq -n` with shell variables: an unknown value is an empty text or null.
    """
    return value is None or value == ""


def is_plain(text: str) -> bool:
    """Tell whether an id can be stored as it is."""
    return bool(PLAIN_ID.fullmatch(text)) and not UNSTORABLE.search(text)


def _trimmed(given: Any, bender: Bender) -> Fit:
    if not isinstance(given, str) or (text := given.strip(SPACES)) == given:
        return bender(given)
    fit = bender(text)
    return Fit(fit.value, fit.how or TRIMMED)


def _plain_word(text: str) -> str:
    """Return a word without white space and quotation marks around it, in lower case."""
    return text.strip(SPACES + QUOTES).casefold()


def _spelt(word: str) -> Fit:
    return Fit(word, f"is spelt {word!r} here")


def _text(given: Any) -> str | None:
    """Return a value as text: digits of a number, else JSON; None for nothing and false."""
    if isinstance(given, str):
        return given or None
    if given is None or given is False or given in ([], {}):
        return None
    if isinstance(given, float) and given.is_integer() and abs(given) < LARGEST_WHOLE_FLOAT:
        return str(int(given))
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def _fit(given: Any, text: str | None, changed: str = "") -> Fit:
    """Return the text, and how it differs from what was given."""
    if text == given:
        return Fit(text)
    if text is None:
        return Fit(None, "says nothing and counts as absent")
    if not isinstance(given, str):
        return Fit(text, f"is no text and is recorded as {text[:60]!r}")
    return Fit(text, changed or "had characters that no database stores")


MAY_BE_UNFILLED: Final[Mapping[str, Bender]] = {
    "workflow_run_id": run_id,
    **dict.fromkeys(("failed_step", "server_id", "server_ip", "tailscale_ip"), trimmed_name),
}
"""The benders of the names in which a placeholder or a text such as `null` is no value.

The id of a delivery is one more; its quotation marks belong to it.
"""


def benders(clock: Callable[[], datetime]) -> dict[str, Bender]:
    """Return the bender of every known field."""
    return {
        "job_id": job_id,
        "type": kind,
        "status": status,
        "step": unquoted(trimmed_name),  # Without its step, the callback would begin an attempt.
        "run_attempt": run_attempt,
        "occurred_at": occurred_at(clock),
        "error": unless(word_for_nothing, error),
        **{each: unquoted(filled_in(bender)) for each, bender in MAY_BE_UNFILLED.items()},
        # The id of a delivery only has to be the same again.
        "callback_id": filled_in(identity),
    }


FIELDS: Final = tuple(benders(datetime.now))

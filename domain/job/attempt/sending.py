"""When a word of an attempt was sent, by our clock: its sender's clock may be slow or fast.

The earlier words of the attempt tell how far the clocks of its hosts are behind ours: each of them
was recorded a moment after it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.job.attempt.clocks import SKEW_SECONDS
from domain.job.attempt.state import Attempt

PROMPT_SECONDS = 5
"""Two words that took about as long, to less than this, are likely of one clock, and took no time.
"""


def sent_at(attempt: Attempt, clock: datetime, recorded_at: datetime) -> datetime:
    """Return when a word was sent, by our clock, as far as earlier words of its attempt tell.

    Hosts of one run have clocks of their own. The word comes from the clock by which it took next
    to no time; if there is none, from the one that is the furthest ahead.
    """
    behind = (recorded_at - clock).total_seconds()
    lags = list(_lags(attempt))
    nearest = min(lags, key=lambda lag: abs(behind - lag), default=0.0)
    if abs(behind - nearest) >= PROMPT_SECONDS:
        # A larger difference may also be the delay of the earlier word.
        nearest = min(
            (lag for lag in lags if abs(lag) <= SKEW_SECONDS and lag <= behind), default=0.0
        )
    return min(recorded_at, clock + timedelta(seconds=nearest))


def _lags(attempt: Attempt) -> Iterator[float]:
    """Yield how many seconds after their senders' times the words of the attempt were recorded."""
    claim = (attempt.claim,) if attempt.claim else ()
    end = (attempt.final.moment,) if attempt.final else ()
    for moment in (*claim, *attempt.steps.values(), *end):
        if moment.occurred_at:
            yield (moment.recorded_at - moment.occurred_at).total_seconds()

"""Times and kinds of events as arguments of commands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import click

from api.schemas.times import asked_time, time_of
from domain.job.events import CATALOGUE

UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1)}


class When(click.ParamType[datetime]):
    """A time as in RFC 3339, or as senders write it; with `through`, until its end."""

    name = "time"

    def __init__(self, *, through: bool = False) -> None:
        self._through = through

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the time in UTC."""
        try:
            asked = asked_time(value)
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-03-02T14:03:00Z.", param, ctx)
        return asked.last if self._through else asked.first


class Lifetime(click.ParamType[timedelta | datetime]):
    """How long something lasts, or until when."""

    name = "90d|date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a duration, or a time in UTC."""
        number, unit = value[:-1], UNITS.get(value[-1:])
        if unit and number.isascii() and number.isdigit() and len(number) < 6:
            return int(number) * unit
        try:
            return time_of(f"{value}T00:00:00Z" if len(value) == len("2026-12-31") else value)
        except ValueError:
            self.fail(f"{value!r} is neither like 90d or 12h nor like 2026-12-31.", param, ctx)


class Kinds(click.ParamType[list[str]]):
    """Kinds of events, separated by commas."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return their names as a list."""
        kinds = [word.strip() for word in value.split(",")]
        for kind in kinds:
            if kind not in CATALOGUE:
                self.fail(f"{kind!r} is not one of {', '.join(CATALOGUE)}.", param, ctx)
        return kinds


def shown_time(time: datetime | None) -> str:
    """Return a UTC time to the second, without its zone: the column's heading names that."""
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else ""

"""Times and kinds of events as arguments of commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from api.schemas.times import asked_time
from domain.job.events import CATALOGUE


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

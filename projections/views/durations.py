"""Durations in words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Return a duration in its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, smaller, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {small}"
    return f"{max(0, round(seconds, 1)):g} s"

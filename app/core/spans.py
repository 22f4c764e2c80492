"""Spans of time, from a moment to before another."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple


class Span(NamedTuple):
    """Empty if it starts when it ends."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def without(span: Span, others: Iterable[Span]) -> list[Span]:
    """Return the parts of a span that are in none of the others."""
    left = [span]
    for other in others:
        halves = [
            half
            for one in left
            for half in (
                Span(one.start, min(one.end, other.start)),
                Span(max(one.start, other.end), one.end),
            )
        ]
        left = [half for half in halves if half.start < half.end]
    return left

"""The type of a job. Each other module of this package exports ``JOBS``, which the worker runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """A job: ``run`` does all that is due and returns how much; ``every`` is the pause in s.

    ``by_clock``: what is due depends on the time and cannot be undone: the job seals, expires,
    releases, closes, deletes or notifies. It is held when the clock has jumped.
    """

    name: str
    run: Callable[[Runtime], Awaitable[int]]
    every: float
    by_clock: bool = False

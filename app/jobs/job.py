"""What a job is. Every other module of this package exports its ``JOBS``; the worker runs them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """``run`` does all that is due and returns how much; then nothing for ``every`` seconds."""

    name: str
    run: Callable[[Runtime], Awaitable[int]]
    every: float

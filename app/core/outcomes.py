"""Hot commands take lists and return outcomes; a request passes a list of one."""

from collections.abc import Sequence
from typing import TypeVar

from app.core.errors import Refusal

T = TypeVar("T")


def single(outcomes: Sequence[T | Refusal]) -> T:
    """Return the outcome of a list of one, raising it if it is a refusal."""
    assert len(outcomes) == 1, "one command, one outcome"
    outcome = outcomes[0]
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome

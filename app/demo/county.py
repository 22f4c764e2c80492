"""What the parts of the demonstration data share: who and what there is, and a clock to set."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import time_machine

from app.core.clock import BEGINNING, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.server_clock import Reading, ServerClock
from app.demo.means import Means

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class County:
    """``people``: by the sandbox user. ``rewards``: ids by key.

    ``communities``: some of the street, alice's first.
    """

    means: Means
    city: UUID
    street: UUID
    communities: Sequence[UUID]
    people: Mapping[str, UUID]
    neighbours: Sequence[UUID]
    rewards: Mapping[str, UUID]

    @property
    def community(self) -> UUID:
        """Return that of alice."""
        return self.communities[0]


class _SetClock(ServerClock):
    """PostgreSQL's clock shows what the process's does, however long the work takes."""

    def current(self) -> Reading:
        at = now()
        return Reading(at, at, time.monotonic(), BEGINNING)


@contextmanager
def clock_at(tx: Session, moment: datetime) -> Iterator[datetime]:
    """Set the clock of the process, and what it knows of PostgreSQL's."""
    right = tx.clock
    with time_machine.travel(moment, tick=False):
        tx.clock = _SetClock()
        try:
            yield moment
        finally:
            tx.clock = right


class Uncounted:
    """Guesses of card numbers (``people.CardGuesses``): none, as people are named by their ids."""

    async def admit(self) -> None:
        pass

    async def count(self, wrong: int) -> None:
        assert not wrong


def held(outcomes: Sequence[T | Refusal]) -> list[T]:
    """Return the outcomes. Raises the first refusal."""
    if refused := [one for one in outcomes if isinstance(one, Refusal)]:
        raise refused[0]
    return [one for one in outcomes if not isinstance(one, Refusal)]

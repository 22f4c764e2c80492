"""Simulation: the awards that a draft would have given in a past period, in sums.

Read-only. It runs on one snapshot given by the caller, while the service works.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import midnight, period_start
from app.core.db import Session
from app.models.awards import AwardReason, AwardState
from app.models.ledger import Purpose
from app.queries import orgs as org_queries
from app.queries.awards import attendance as queries
from app.queries.awards.attendance import Act, Window
from app.queries.ledger import reading as reading_queries
from app.schemas.policies.documents import Proof
from app.services import people
from app.services.awards.replay import Ineligibility, Replay, Replayed
from app.services.policies.history import Draft

MOST_CHANGED = 20
NOT_BY_A_CAP = {AwardReason.full, AwardReason.once, AwardReason.counted_before}
OVER_A_CAP = set(AwardReason) - NOT_BY_A_CAP


@dataclass(slots=True)
class Sums:
    """``cut``: points withheld by caps and by rules that give once."""

    awards: int = 0
    points: int = 0
    minutes: int = 0
    cut: int = 0

    def add(self, points: int, minutes: int, cut: int) -> None:
        self.awards += 1
        self.points += points
        self.minutes += minutes
        self.cut += cut


@dataclass(slots=True)
class Compared:
    """What was given, and what the draft would have given for the same acts."""

    now: Sums = field(default_factory=Sums)
    draft: Sums = field(default_factory=Sums)

    @property
    def change(self) -> int:
        """The difference in points; positive if the draft would have given more."""
        return self.draft.points - self.now.points


@dataclass(slots=True)
class Earner(Compared):
    """A person's sums. ``name`` is masked; ``cap_hits`` are those under the draft."""

    id: UUID = field(kw_only=True)
    name: str = field(kw_only=True)
    cap_hits: int = 0


@dataclass(slots=True)
class FundImpact(Compared):
    """What an organisation's fund issued, and would have issued.

    ``holds``: its present balance; None if it would issue without a limit.
    """

    code: str = ""
    name: str = ""
    limited: bool = False
    holds: int | None = None

    @property
    def short(self) -> int:
        """The points that it would lack to pay for another such period."""
        return max(self.draft.points - self.holds, 0) if self.holds is not None else 0


@dataclass(slots=True)
class Simulation:
    """The result. ``reasons``: number of awards by reason, now and under the draft."""

    total: Compared = field(default_factory=Compared)
    rules: dict[str, Compared] = field(default_factory=lambda: defaultdict(Compared))
    reasons: tuple[Counter[AwardReason], Counter[AwardReason]] = field(
        default_factory=lambda: (Counter(), Counter())
    )
    begins: dict[tuple[Proof, AwardState], Sums] = field(default_factory=lambda: defaultdict(Sums))
    ineligible: dict[Ineligibility, Sums] = field(default_factory=lambda: defaultdict(Sums))
    impacts: dict[UUID, FundImpact] = field(default_factory=lambda: defaultdict(FundImpact))
    more: int = 0
    less: int = 0
    same: int = 0
    most_changed: list[Earner] = field(default_factory=list)
    taken_back: int = 0

    def count(self, acts: Sequence[Act], replay: Replay, begin: datetime) -> Earner | None:
        """Count all acts of a person; None if none of them is in force since ``begin``."""
        earner = Earner(id=acts[0].person_id, name=people.masked(acts[0].display_name))
        for act, outcome in replay.take(acts):
            if outcome is None or act.awarded_at < begin:
                continue
            if act.ended_at is not None:
                self.taken_back += 1
                continue
            self._count(act, outcome, earner)
            self.impacts[act.org_id].limited = replay.is_limited(act.org_path)
        if earner.now.awards == 0:
            return None
        self.more += earner.change > 0
        self.less += earner.change < 0
        self.same += earner.change == 0
        if earner.change:
            self.most_changed.append(earner)
            if len(self.most_changed) > 50 * MOST_CHANGED:
                self.trim()
        return earner

    def _count(self, act: Act, outcome: Replayed | Ineligibility, earner: Earner) -> None:
        places = (self.total, self.rules[act.rule_key], self.impacts[act.org_id], earner)
        given = (act.points, act.minutes, act.points_before_caps - act.points)
        for one in places:
            one.now.add(*given)
        self.reasons[0][AwardReason(act.reason)] += 1
        if isinstance(outcome, Ineligibility):
            self.ineligible[outcome].add(*given)
            return
        points, hours = outcome.points, outcome.minutes
        for one in places:
            one.draft.add(points, hours, outcome.points_before_caps - points)
        self.begins[outcome.proof, outcome.state].add(points, hours, 0)
        self.reasons[1][outcome.reason] += 1
        earner.cap_hits += outcome.reason in OVER_A_CAP

    def trim(self) -> None:
        """Keep the ``MOST_CHANGED`` people whose points change most."""
        self.most_changed.sort(key=lambda one: (-abs(one.change), one.id))
        del self.most_changed[MOST_CHANGED:]


async def simulate(
    tx: Session,
    draft: Draft,
    first: date,
    last: date,
    each: Callable[[Earner | None], Awaitable[None]] | None = None,
) -> Simulation:
    """Replay the acts from ``first`` to ``last``, both included, under a draft.

    The year of ``first`` is replayed from its beginning, because its points count for caps.
    ``each`` is called for every person, with None for one without a counted act in the period.
    """
    begin, window = midnight(first), window_of(draft, first, last)
    replay = Replay(draft)
    await _note_numbers(tx, replay, window)
    found = Simulation()
    async for acts in queries.acts_of_people(tx, window, replay.rules_once_in_a_life):
        earner = found.count(acts, replay, begin)
        if each is not None:
            await each(earner)
    found.trim()
    await _read_funds(tx, found.impacts, window.unit)
    return found


def window_of(draft: Draft, first: date, last: date) -> Window:
    """Return the period that is replayed."""
    return Window(
        since=period_start(midnight(first), "year"),
        until=midnight(last + timedelta(days=1)),
        path=draft.org_path,
        unit=draft.policy.unit_id,
    )


async def _note_numbers(tx: Session, replay: Replay, window: Window) -> None:
    async for act in queries.acts_by_hand(tx, window, replay.rules_with_numbers):
        replay.note_numbers(act)


async def _read_funds(tx: Session, impacts: dict[UUID, FundImpact], unit: int) -> None:
    """Set names of the funds, and the balances of the limited ones."""
    names = await org_queries.names_of(tx, sorted(impacts))
    limited = sorted(org_id for org_id, one in impacts.items() if one.limited)
    balances = await reading_queries.balances(tx, limited)
    for org_id, impact in impacts.items():
        impact.code, impact.name = names[org_id]
        if impact.limited:
            impact.holds = balances.get((org_id, Purpose.budget, unit), 0)

"""Daily caps of charges: points of a person, of a merchant, and of a person at a merchant.

The accounts of payers and merchants are locked before the sums of the day are read, so that two
batches cannot both pass a cap.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from app.core.clock import local_date, midnight
from app.core.db import Session
from app.core.errors import Refusal
from app.models.ledger import Purpose
from app.queries import charges as queries
from app.queries.redemptions import NewCharge
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Outcome, Posted, Posting
from app.services.policies.rules import PointsPolicy

CapOf = Literal["person", "merchant", "person_at_merchant"]


class CapReached(Refusal):
    """``of``: whose cap it is; ``limit`` and ``used``: points of the day."""

    code, status, title = "charges.cap_reached", 409, "Daily cap reached"
    zh, en = "超过当日收款积分上限", "That is over the points that can be charged in a day."
    fact_names = ("of", "limit", "used", "opens_at")


class Tally(NamedTuple):
    """What a cap counts: the points of a person, of a merchant (None: of all), in a unit."""

    of: CapOf
    person_id: UUID | None
    merchant_id: UUID | None
    unit_id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A charge to post, and the policy at its merchant."""

    posting: Posting
    charge: NewCharge
    policy: PointsPolicy

    def caps(self) -> list[tuple[Tally, int]]:
        """Return the caps that count the charge, with their limits."""
        charge, limits = self.charge, self.policy.document.charges
        person, merchant, unit = charge.person_id, charge.merchant_id, charge.unit_id
        found: list[tuple[Tally, int | None]] = [
            (Tally("person", person, None, unit), limits.person_day),
            (Tally("merchant", None, merchant, unit), limits.merchant_day),
            (
                Tally("person_at_merchant", person, merchant, unit),
                limits.person_at_merchant_day,
            ),
        ]
        return [(tally, limit) for tally, limit in found if limit is not None]


async def post(tx: Session, wanted: Sequence[Wanted], at: datetime) -> list[Outcome]:
    """Post charges that no cap refuses, one outcome each: as of ``posting.post``, or CapReached.

    In one round, unless a charge was refused by a cap for the sake of an earlier one that the
    ledger then refused: that charge is tried once more.
    """
    capped = [one for one in wanted if one.caps()]
    if not capped:
        return await posting.post(tx, [one.posting for one in wanted], at, new=True)
    locked = await posting.lock(tx, _accounts(wanted), at)
    used = await _used(tx, capped, at)
    outcomes: dict[UUID, Outcome] = {}
    left = list(wanted)
    while left:
        ready = []
        for one in left:
            refusal = _refusal(one, used, at)
            if refusal is not None:
                outcomes[one.charge.id] = refusal
                continue
            used.update({tally: one.charge.points for tally, _ in one.caps()})
            ready.append(one)
        posted = await posting.post(tx, [one.posting for one in ready], at, locked, new=True)
        outcomes |= {one.charge.id: got for one, got in zip(ready, posted, strict=True)}
        failed = [one for one in ready if not isinstance(outcomes[one.charge.id], Posted)]
        for one in failed:
            used.subtract({tally: one.charge.points for tally, _ in one.caps()})
        # Those that a cap refused may pass now. Each round leaves fewer: the failed ones are done.
        refused = [one for one in left if isinstance(outcomes[one.charge.id], CapReached)]
        left = refused if failed else []
    return [outcomes[one.charge.id] for one in wanted]


def _accounts(wanted: Sequence[Wanted]) -> set[AccountKey]:
    """Return what is posted to, and the merchants' takings: a hold alone would not lock them."""
    keys = {key for one in wanted for key in (one.posting.payer, one.posting.payee)}
    takings = {
        AccountKey(one.charge.merchant_id, Purpose.takings, one.charge.unit_id)
        for one in wanted
        if one.caps()
    }
    return keys | takings


async def _used(tx: Session, capped: Sequence[Wanted], at: datetime) -> Counter[Tally]:
    """Sum the points of the day (Asia/Shanghai) by what the caps count."""
    tallies = {tally for one in capped for tally, _ in one.caps()}
    people = sorted({tally.person_id for tally in tallies if tally.person_id is not None})
    merchants = sorted({tally.merchant_id for tally in tallies if tally.merchant_id is not None})
    paid = await queries.paid(tx, people, merchants, midnight(local_date(at)), at)
    used: Counter[Tally] = Counter()
    for one in paid:
        unit = one.unit_id
        used[Tally("person", one.person_id, None, unit)] += one.points
        used[Tally("merchant", None, one.merchant_id, unit)] += one.points
        used[Tally("person_at_merchant", one.person_id, one.merchant_id, unit)] += one.points
    return used


def _refusal(one: Wanted, used: Counter[Tally], at: datetime) -> CapReached | None:
    for tally, limit in one.caps():
        if used[tally] + one.charge.points > limit:
            tomorrow = midnight(local_date(at) + timedelta(days=1))
            return CapReached(of=tally.of, limit=limit, used=used[tally], opens_at=tomorrow)
    return None

"""Coverage of a fund (公益银行): its value, its liability, the freeze of prices (decision 0057).

The liability is the points outstanding times the value of a point. While it is more than the
percentage of the fund that the policy sets, the prices of the organisation's list are frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import month_start, now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.coverages import PriceFreeze
from app.models.funds import FundMonth
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.queries import coverages as queries
from app.queries import people as people_queries
from app.queries.coverages import Received
from app.queries.ledger import reading
from app.schemas.coverages import CoverageOut
from app.schemas.policies.funds import Fund
from app.services import notify, orgs
from app.services.policies import history
from app.services.policies.history import PolicyHistory

_INSTANT = timedelta(microseconds=1)
_NOTHING = Received(0, 0, 0)


class PricesFrozen(Refusal):
    """Facts: ``since`` when; ``liability`` and ``fund`` in cents when it began; ``limit`` in %."""

    code, status, title = "coverages.prices_frozen", 409, "Prices frozen"
    zh = "流通积分的价值超出公益银行承受范围，兑换清单暂停调价和上新"
    en = "The fund does not cover the points outstanding: prices are frozen, nothing is published."
    fact_names = ("since", "liability", "fund", "limit")


@dataclass(frozen=True, slots=True)
class Valuation:
    """A fund at a moment. Amounts in cents are 0 without a ``point_value``."""

    point_value: int | None
    freeze_percent: int
    outstanding: int
    received: Received
    spent: int

    @property
    def unvalued(self) -> int:
        return self.received.points * (self.point_value or 0)

    @property
    def fund(self) -> int:
        return self.received.money + self.received.goods + self.unvalued - self.spent

    @property
    def liability(self) -> int:
        return self.outstanding * (self.point_value or 0)

    @property
    def percent(self) -> int | None:
        """The fund as a percentage of the liability; None without a liability."""
        return self.fund * 100 // self.liability if self.liability else None

    @property
    def is_short(self) -> bool:
        """Whether prices must be frozen."""
        return self.liability > 0 and self.liability * 100 > self.fund * self.freeze_percent


def valued(
    known: PolicyHistory,
    org: Org,
    unit: int,
    months: Sequence[FundMonth],
    received: Received,
    until: datetime,
) -> Valuation:
    """Value a fund just before a moment. ``months``: those up to it, oldest first.

    What was spent in a month counts at the value of a point at its end, or at ``until`` if there
    was none then. So a changed value does not change what was spent before.
    """
    fund = _rules(known, org, unit, until)
    spent = before = 0
    for one in months:
        end = min(month_start(one.month.year, one.month.month, plus=1), until)
        value = _rules(known, org, unit, end).point_value_cents or fund.point_value_cents or 0
        spent += (one.spent - before) * value
        before = one.spent
    return Valuation(
        point_value=fund.point_value_cents,
        freeze_percent=fund.freeze_percent,
        outstanding=outstanding(months[-1]) if months else 0,
        received=received,
        spent=spent if fund.point_value_cents else 0,
    )


def outstanding(one: FundMonth) -> int:
    return one.available + one.pending + one.held


def _rules(known: PolicyHistory, org: Org, unit: int, until: datetime) -> Fund:
    """Return the rules of an organisation's fund just before a moment, for points of a unit."""
    at = until - _INSTANT
    if not known.versions(at, org.path):
        return Fund()
    policy = known.policy(at, org.path)
    return policy.document.fund if policy.unit_id == unit else Fund()


async def value(tx: Session, org: Org, unit: int, until: datetime) -> Valuation:
    """Value the fund of an organisation as it is now, with receipts before ``until``."""
    known, months = await history.load(tx), await queries.months(tx, org.id, unit)
    received = (await queries.received(tx, org.id, unit, [until])).get(until, _NOTHING)
    return valued(known, org, unit, months, received, until)


async def assess(tx: Session, org: Org, at: datetime) -> None:
    """Freeze the prices of an organisation, or end that, as its fund says; tell its deciders.

    They are told once of each freeze: of two transactions, one inserts or ends it.
    """
    policy = await history.in_force(tx, org.path, at)
    found = await value(tx, org, policy.unit_id, at + _INSTANT)
    standing = await queries.open_freeze(tx, org.id, lock=True)
    if found.is_short and standing is None:
        freeze = PriceFreeze(
            org_id=org.id,
            unit_id=policy.unit_id,
            liability_cents=found.liability,
            fund_cents=found.fund,
            freeze_percent=found.freeze_percent,
            began_at=at,
        )
        if await queries.begin(tx, freeze):
            await _tell(tx, "coverage_frozen", org, found)
    elif not found.is_short and standing is not None:
        await queries.end(tx, standing, max(at, standing.began_at))
        await _tell(tx, "coverage_unfrozen", org, found)


async def _tell(tx: Session, kind: str, org: Org, found: Valuation) -> None:
    deciders = await people_queries.nearest_holders(tx, org.id, notify.DECIDERS, [], 1)
    people = [one.person_id for one in deciders]
    await notify.send(tx, people, kind, ("org", org.id), org=org.name, limit=found.freeze_percent)


async def to_assess(tx: Session, at: datetime) -> list[UUID]:
    """Return the organisations whose points have a value, or whose prices are frozen."""
    known, found = await history.load(tx), []
    for org in await queries.issuers(tx):
        has_value = bool(known.versions(at, org.path)) and (
            known.policy(at, org.path).document.fund.point_value_cents is not None
        )
        if has_value or await queries.open_freeze(tx, org.id) is not None:
            found.append(org.id)
    return found


async def assess_one(tx: Session, org_id: UUID, at: datetime) -> None:
    """Do the same as ``assess`` for an organisation by its id."""
    await assess(tx, await orgs.get(tx, org_id), at)


async def require_unfrozen(tx: Session, org_id: UUID) -> None:
    """Raise PricesFrozen while the prices of an organisation's list are frozen."""
    freeze = await queries.open_freeze(tx, org_id)
    if freeze is not None:
        raise PricesFrozen(
            since=freeze.began_at,
            liability=freeze.liability_cents,
            fund=freeze.fund_cents,
            limit=freeze.freeze_percent,
        )


async def show(tx: Session, org_id: UUID) -> CoverageOut:
    """Return the coverage of an organisation's fund now. Raises OrgNotFound."""
    org, at = await orgs.get(tx, org_id), now()
    policy = await history.in_force(tx, org.path, at)
    found = await value(tx, org, policy.unit_id, at)
    freeze = await queries.open_freeze(tx, org_id)
    _, as_of = await queries.written(tx)
    issuable = None
    if policy.document.fund.limited:
        held = await reading.balances(tx, [org_id])
        issuable = held.get((org_id, Purpose.budget, policy.unit_id), 0)
    has_value = found.point_value is not None
    return CoverageOut(
        point_value_cents=found.point_value,
        outstanding=found.outstanding,
        liability_cents=found.liability if has_value else None,
        money_cents=found.received.money,
        goods_cents=found.received.goods,
        unvalued_cents=found.unvalued if has_value else None,
        spent_cents=found.spent if has_value else None,
        fund_cents=found.fund if has_value else None,
        coverage_percent=found.percent if has_value else None,
        issuable=issuable,
        freeze_percent=found.freeze_percent,
        frozen_since=freeze.began_at if freeze else None,
        as_of=as_of,
    )

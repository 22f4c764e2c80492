"""Points given to the 公益银行 without a counter, and the honour mark (爱心标识) for it.

A donation is a redemption of a reward of the kind donation that is collected at once, so its
points go back to the organisation's fund by the same transfers. What was collected at a counter
counts for the mark too.
"""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, month_start, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.models.merchants import MerchantKind
from app.models.rewards import RewardKind
from app.queries import donations as queries
from app.schemas.donations import (
    DonationIn,
    DonationOut,
    HonouredListOut,
    HonouredOut,
    HonourIn,
    HonourOut,
)
from app.schemas.policies.rewards import Rewards
from app.schemas.redemptions import RedemptionIn
from app.services import audit, orgs, people
from app.services.leaderboards.rules import born_until
from app.services.ledger import moments
from app.services.merchants import access as merchants
from app.services.policies import history
from app.services.redemptions import holding, reservations

SHOWN = 100  # people of a public list


class NotDonation(Refusal):
    """A reward that is no donation, or whose points would not go to a 公益银行."""

    code, status, title = "donations.not_donation", 409, "Not a donation"
    zh, en = "该兑换品不是向公益银行的捐赠", "This reward is no donation to a fund."
    fact_names = ("kind",)


async def give(tx: Session, person_id: UUID, body: DonationIn) -> DonationOut:
    """Give points to the fund of an organisation.

    Raises NotDonation, and as ``reservations.reserve``.
    """
    at = await moments.moment(tx)
    asked = RedemptionIn(reward_id=body.reward_id, quantity=body.quantity)
    redemption, reward = await reservations.make(tx, person_id, asked, at)
    merchant = await merchants.get(tx, reward.merchant_id)
    if reward.kind != RewardKind.donation or merchant.kind != MerchantKind.fund_counter:
        raise NotDonation(kind=reward.kind)
    await reservations.collect_at_once(tx, redemption, at)
    await holding.tell(tx, redemption, "donation_received", reward)
    return DonationOut(
        id=redemption.id,
        reward_id=reward.id,
        reward_name=named(reward.name, reward.name_en),
        org_id=reward.org_id,
        points=redemption.points,
        given_at=at,
        honour=await honour(tx, person_id),
    )


async def honour(tx: Session, person_id: UUID) -> HonourOut:
    """Return the honour mark of the running year, by the programme of all organisations.

    Nobody has one before there is a programme.
    """
    year, points, needed = local_date(now()).year, 0, Rewards().honour_points
    published = await history.load(tx)
    if published.versions(now(), history.ROOT):
        policy = published.policy(now())
        points = await queries.given(tx, person_id, *_year(year), policy.unit_id)
        needed = policy.document.rewards.honour_points
    return HonourOut(
        year=year,
        points_given=points,
        points_needed=needed,
        has_mark=points >= needed,
        is_public=not await queries.is_hidden(tx, person_id),
    )


async def choose(tx: Session, person_id: UUID, body: HonourIn) -> HonourOut:
    """Let public lists show the caller's mark, or not. Idempotent."""
    at = await moments.moment(tx)
    change = queries.unhide(tx, person_id) if body.is_public else queries.hide(tx, person_id, at)
    if await change:
        subject = ("person", person_id)
        await audit.write_about(tx, person_id, "changed", subject, None, fields=["is_public"])
    return await honour(tx, person_id)


async def honoured(tx: Session, org_id: UUID, year: int | None) -> HonouredListOut:
    """Return who has the mark by what was given in a subtree. Raises OrgNotFound."""
    org = await orgs.get(tx, org_id)
    year = year or local_date(now()).year
    policy = await history.in_force(tx, org.path)
    rows = await queries.honoured(
        tx,
        org.path,
        _year(year),
        policy.unit_id,
        least=policy.document.rewards.honour_points,
        born_until=born_until(),
        limit=SHOWN,
    )
    return HonouredListOut(
        year=year,
        items=[
            HonouredOut(display_name=name if shows else people.masked(name), points_given=points)
            for name, shows, points in rows
        ],
    )


def _year(year: int) -> tuple[datetime, datetime]:
    return month_start(year, 1), month_start(year + 1, 1)

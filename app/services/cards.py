"""The benefit card (青享卡): its number, its tier, and the code shown at a counter."""

import secrets
from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.models.cards import CardStatus, card_number
from app.queries import cards as queries
from app.queries import shops as shop_queries
from app.queries.awards import granting as granting_queries
from app.schemas.cards import AcceptingShopOut, CardCodeOut, CardOut, NextTierOut
from app.schemas.policies.documents import Tier
from app.services.policies import history
from app.services.policies.rules import TIER_WINDOW, PointsPolicy

CODE_DIGITS = 18
CODE_LIFETIME = timedelta(seconds=60)
# A code in its last seconds is not returned: it would expire before the counter reads it.
CODE_MARGIN = timedelta(seconds=5)
CODES_KEPT = timedelta(days=1)
SHOPS = 20  # shown with the card


class CardNotFound(Refusal):
    code, status, title = "cards.not_found", 404, "No card"
    zh, en = "青享卡不存在", "There is no card."


class CardSuspended(Refusal):
    code, status, title = "cards.suspended", 409, "Card suspended"
    zh, en = "青享卡已停用", "The card is suspended."


async def mine(tx: Session, person_id: UUID) -> CardOut:
    card = await queries.find(tx, person_id)
    if card is None:
        raise CardNotFound
    policy = await history.in_force(tx)
    points, minutes = await earned(tx, person_id, policy)
    tier = policy.tier_for(points, minutes)
    return CardOut(
        card_no=card_number(card.serial),
        tier=tier.key,
        tier_name=named(tier.name, tier.name_en),
        benefits=_listed(tier),
        status=CardStatus(card.status),
        points_12m=points,
        minutes_12m=minutes,
        next_tier=_next(policy, tier, points, minutes),
        accepted_at=[
            AcceptingShopOut.model_validate(shop) for shop in await shop_queries.first(tx, SHOPS)
        ],
    )


def _next(policy: PointsPolicy, tier: Tier, points: int, minutes: int) -> NextTierOut | None:
    rank = policy.tier_rank(tier.key) + 1
    if rank == len(policy.document.tiers):
        return None
    above = policy.document.tiers[rank]
    return NextTierOut(
        tier=above.key,
        tier_name=named(above.name, above.name_en),
        benefits=_listed(above),
        points=above.points_12m,
        minutes=above.hours_12m * 60,
        points_missing=max(above.points_12m - points, 0),
        minutes_missing=max(above.hours_12m * 60 - minutes, 0),
    )


def _listed(tier: Tier) -> list[str]:
    """Return the benefits one by one: the document has them on one line."""
    benefits = named(tier.benefits, tier.benefits_en).said().replace("；", ";")
    return [one.strip() for one in benefits.split(";") if one.strip()]


async def code(tx: Session, person_id: UUID) -> CardCodeOut:
    """Return the card's valid code, or a new one. Raises CardSuspended."""
    at = now()
    current = await queries.current_code(tx, person_id, at + CODE_MARGIN)
    if current is not None:
        return CardCodeOut(code=current[0], expires_at=current[1])
    await require_active(tx, person_id)
    expires_at = at + CODE_LIFETIME
    digits = _random_code()
    while not await queries.insert_code(tx, person_id, digits, expires_at):
        digits = _random_code()
    return CardCodeOut(code=digits, expires_at=expires_at)


async def require_active(tx: Session, person_id: UUID) -> None:
    """Raise CardSuspended unless the card is active; it stays active until the commit."""
    if await queries.lock_status(tx, person_id) != CardStatus.active:
        raise CardSuspended


async def forget_expired_codes(tx: Session) -> None:
    """Delete codes that expired more than a day ago."""
    await queries.forget_expired(tx, now() - CODES_KEPT)


async def earned(tx: Session, person_id: UUID, policy: PointsPolicy) -> tuple[int, int]:
    """Return points and minutes of the last twelve months, which make the tier."""
    return await granting_queries.totals(tx, person_id, policy.unit_id, now() - TIER_WINDOW)


def _random_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

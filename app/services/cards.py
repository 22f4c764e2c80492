"""The benefit card (青享卡): its number, its tier, and the code shown at a counter."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual, named
from app.models.cards import Card, CardStatus, CodePurpose, card_number
from app.queries import cards as queries
from app.queries import shops as shop_queries
from app.queries.cards import Window
from app.schemas.cards import AcceptingShopOut, CardCodeOut, CardOut, NextTierOut, TierMissingOut
from app.schemas.policies.documents import Tier
from app.services import tiers
from app.services.policies import history
from app.services.policies.rules import PointsPolicy

CODE_DIGITS = 18
CODE_LIFETIME = timedelta(seconds=60)
# A code in its last seconds is not returned: it would expire before the counter reads it.
CODE_MARGIN = timedelta(seconds=5)
CODES_KEPT = timedelta(days=1)
MOST_CODES = 5  # for later, of one purpose
SHOPS = 20  # shown with the card


class CardNotFound(Refusal):
    code, status, title = "cards.not_found", 404, "No card"
    zh, en = "青享卡不存在", "There is no card."


class CardSuspended(Refusal):
    """Fact: ``status``, why it cannot be used."""

    code, status, title = "cards.suspended", 409, "Card suspended"
    zh, en = "青享卡已停用", "The card is suspended."
    fact_names = ("status",)

    def sentence(self) -> Bilingual:
        return _BARRED.get(self.facts.get("status", ""), super().sentence())


_BARRED = {
    CardStatus.frozen: Bilingual(
        "青享卡已由持卡人冻结", "The card is frozen; its holder unfreezes it."
    ),
    CardStatus.lost: Bilingual(
        "青享卡已挂失，请先补卡", "The card was reported lost; replace it first."
    ),
}


async def mine(tx: Session, person_id: UUID) -> CardOut:
    card = await queries.find(tx, person_id)
    if card is None:
        raise CardNotFound
    policy = await history.in_force(tx)
    standing = await tiers.standing(tx, person_id, policy)
    tier, points, minutes = standing.tier, standing.points, standing.minutes
    in_grace = standing.grace_until is not None
    return CardOut(
        card_no=card_number(await _shown_serial(tx, card)),
        tier=tier.key,
        tier_name=named(tier.name, tier.name_en),
        tier_since=standing.since,
        grace_until=standing.grace_until,
        missing=TierMissingOut.of(tier, points, minutes) if in_grace else None,
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
        **TierMissingOut.of(above, points, minutes).model_dump(),
    )


def _listed(tier: Tier) -> list[str]:
    """Return the benefits one by one: the document has them on one line."""
    benefits = named(tier.benefits, tier.benefits_en).said().replace("；", ";")
    return [one.strip() for one in benefits.split(";") if one.strip()]


async def _shown_serial(tx: Session, card: Card) -> int:
    """Return the serial that is shown: of a lost card the one that ended, until it is replaced."""
    if card.lost_at is None:
        return card.serial
    [ended] = await queries.ended(tx, card.person_id, None, 1)
    return ended.serial


async def code(tx: Session, person_id: UUID, purpose: CodePurpose | None = None) -> CardCodeOut:
    """Return the card's valid code for a purpose, or a new one. Raises CardSuspended."""
    at = now()
    live = await queries.live_codes(tx, person_id, purpose, at + CODE_MARGIN)
    valid = [one for one in live if _has_begun(one, at)]
    if valid:
        return _shown(valid[-1], at)
    await require_active(tx, person_id)
    return _shown(await _make(tx, person_id, purpose, at), at)


async def codes(
    tx: Session, person_id: UUID, count: int, purpose: CodePurpose | None = None
) -> list[CardCodeOut]:
    """Return codes for the minutes to come, one a minute, for a phone that loses its network.

    Those that are there already are returned again, so there are never more than asked for and one.
    The card is locked: of two requests the second finds the codes of the first. Raises
    CardSuspended.
    """
    card, at = await queries.lock(tx, person_id), now()
    if card is None or card.status != CardStatus.active:
        raise CardSuspended(status=card.status if card else None)
    live = await queries.live_codes(tx, person_id, purpose, at + CODE_MARGIN)
    if not any(_has_begun(one, at) for one in live):
        live.insert(0, await _make(tx, person_id, purpose, at))
    while len(live) < count:
        live.append(await _make(tx, person_id, purpose, live[-1].expires_at))
    return [_shown(one, at) for one in live[:count]]


async def _make(
    tx: Session, person_id: UUID, purpose: CodePurpose | None, valid_from: datetime
) -> Window:
    expires_at, digits = valid_from + CODE_LIFETIME, _random_code()
    while not await queries.insert_code(tx, person_id, digits, expires_at, valid_from, purpose):
        digits = _random_code()
    return Window(digits, valid_from, expires_at)


def _has_begun(one: Window, at: datetime) -> bool:
    return one.valid_from is None or one.valid_from <= at


def _shown(one: Window, at: datetime) -> CardCodeOut:
    return CardCodeOut(code=one.code, valid_from=one.valid_from or at, expires_at=one.expires_at)


async def require_active(tx: Session, person_id: UUID) -> None:
    """Raise CardSuspended unless the card is active; it stays active until the commit."""
    status = await queries.lock_status(tx, person_id)
    if status != CardStatus.active:
        raise CardSuspended(status=status)


async def forget_expired_codes(tx: Session) -> None:
    """Delete codes that expired more than a day ago."""
    await queries.forget_expired(tx, now() - CODES_KEPT)


def _random_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

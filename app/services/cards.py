"""The 青享卡: its number, its tier, and the code that it shows at a counter."""

import secrets
from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.cards import card_number
from app.queries import cards as queries
from app.queries.awards import granting as granting_queries
from app.schemas.cards import CardCodeOut, CardOut
from app.schemas.policies import Tier
from app.services.policies import history
from app.services.policies.rules import PointsPolicy

CODE_DIGITS = 18
CODE_LIFETIME = timedelta(seconds=60)
# A code is not handed out for its last seconds: the counter could not read it in time.
CODE_MARGIN = timedelta(seconds=5)
TIER_WINDOW = timedelta(days=365)


class CardNotFound(Refusal):
    code, status, title = "cards.not_found", 404, "No card"
    zh, en = "青享卡不存在", "There is no card."


async def mine(tx: Session, person_id: UUID) -> CardOut:
    card = await queries.find(tx, person_id)
    if card is None:
        raise CardNotFound
    tier = await tier_of(tx, person_id, await history.in_force(tx))
    return CardOut(
        card_no=card_number(card.serial),
        tier=tier.key,
        tier_name=tier.name,
        benefits=tier.benefits,
        status=card.status,
    )


async def code(tx: Session, person_id: UUID) -> CardCodeOut:
    """Return the card's code: the one that is valid, or a new one."""
    at = now()
    current = await queries.current_code(tx, person_id, at + CODE_MARGIN)
    if current is not None:
        return CardCodeOut(code=current[0], expires_at=current[1])
    expires_at = at + CODE_LIFETIME
    digits = _random_code()
    while not await queries.insert_code(tx, person_id, digits, expires_at):
        digits = _random_code()
    return CardCodeOut(code=digits, expires_at=expires_at)


async def tier_of(tx: Session, person_id: UUID, policy: PointsPolicy) -> Tier:
    """Return the tier of a programme that the last twelve months earned in it."""
    points, minutes = await granting_queries.totals(
        tx, person_id, policy.unit_id, now() - TIER_WINDOW
    )
    return policy.tier_for(points, minutes)


def _random_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

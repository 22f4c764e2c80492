"""What the holder of a card does when it is out of hand: freeze, report the loss, replace.

Each ends the codes that the phone holds, also those for later. Codes are locked before the card,
as at a counter: so a charge and a change of the card do not wait for each other in a circle.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.cards import Card, CardStatus, EndedCard, EndReason, card_number, masked_number
from app.models.people import Role
from app.queries import cards as queries
from app.queries import members as member_queries
from app.queries import people as people_queries
from app.schemas.card_changes import EndedCardOut
from app.schemas.cards import CardOut
from app.services import audit, cards, members, people, records, roles
from app.services.cards import CardNotFound

# A number is cheap, and each one that ends is kept for ever.
MOST, WITHIN = 5, timedelta(days=30)


class CardWrongState(records.WrongState):
    code = "cards.wrong_state"


class TooManyNumbers(Refusal):
    code, status, title = "cards.too_many_numbers", 409, "Replaced too often"
    zh, en = "30 日内换卡次数过多", "The card was replaced too often within thirty days."
    fact_names = ("limit", "used", "opens_at")


async def freeze(tx: Session, person_id: UUID) -> CardOut:
    """Bar the caller's card until it is unfrozen. Raises CardWrongState."""
    card, at = await _locked(tx, person_id, CardStatus.active)
    card.status, card.frozen_at = CardStatus.frozen, at
    return await _saved(tx, card, "frozen")


async def unfreeze(tx: Session, person_id: UUID) -> CardOut:
    """Let a frozen card be used again. Raises CardWrongState."""
    card, _ = await _locked(tx, person_id, CardStatus.frozen)
    card.status, card.frozen_at = CardStatus.active, None
    return await _saved(tx, card, "unfrozen")


async def report_loss(tx: Session, person_id: UUID) -> CardOut:
    """End the number of the caller's card at once; the card waits to be replaced.

    The number of a suspended card ends too; it stays suspended. Raises CardWrongState for one that
    was reported already.
    """
    card, at = await _locked(tx, person_id, *CardStatus)
    if card.lost_at is not None:
        raise CardWrongState(status=card.status)
    if card.status != CardStatus.suspended:
        card.status = CardStatus.lost
    card.lost_at, card.frozen_at = at, None
    await _renumber(tx, card, EndReason.lost, at)
    return await _saved(tx, card, "lost")


async def replace(tx: Session, person_id: UUID) -> CardOut:
    """Give a card another number: a lost one, or one whose number is in wrong hands.

    Raises CardWrongState, TooManyNumbers.
    """
    card, at = await _locked(tx, person_id, CardStatus.lost, CardStatus.active)
    ended = await queries.ended_since(tx, person_id, at - WITHIN)
    if len(ended) >= MOST + (card.lost_at is not None):
        raise TooManyNumbers(limit=MOST, used=len(ended), opens_at=ended[-MOST] + WITHIN)
    if card.lost_at is None:
        await _renumber(tx, card, EndReason.replaced, at)
    card.status, card.lost_at = CardStatus.active, None
    return await _saved(tx, card, "replaced")


async def ended_numbers(
    tx: Session, caller: UUID, org_id: UUID | None, person_id: UUID, asked: PageParams
) -> Page[EndedCardOut]:
    """Return the numbers that a person's card had, newest first; masked for auditors.

    Without ``org_id``: at the lowest organisation that has the person and where the caller reads.
    Each look is an entry of the audit trail. Raises OrgNotFound, Forbidden, PersonNotFound.
    """
    org_id = org_id or await members.place(tx, caller, roles.READERS, person_id)
    org = await records.authorized(tx, caller, roles.READERS, org_id)
    if await member_queries.find(tx, org.path, person_id) is None:
        raise people.PersonNotFound
    masks = not await people.holds(tx, caller, (Role.administrator,), org.path)
    await audit.write_about(tx, caller, "viewed", ("card", person_id), org.id)
    return await by_id(
        asked,
        lambda before, limit: queries.ended(tx, person_id, before, limit),
        lambda row: _to_out(row, masks=masks),
    )


def _to_out(row: EndedCard, *, masks: bool) -> EndedCardOut:
    return EndedCardOut(
        id=row.id,
        card_no=masked_number(row.serial) if masks else card_number(row.serial),
        reason=EndReason(row.reason),
        ended_at=row.ended_at,
    )


async def _locked(tx: Session, person_id: UUID, *allowed: CardStatus) -> tuple[Card, datetime]:
    """End the codes of a card and lock it. Raises CardNotFound, CardWrongState."""
    at = now()
    await queries.end_codes(tx, person_id, at)
    card = await queries.lock(tx, person_id)
    if card is None:
        raise CardNotFound
    if card.status not in allowed:
        raise CardWrongState(status=card.status)
    return card, at


async def _renumber(tx: Session, card: Card, reason: EndReason, at: datetime) -> None:
    ended = EndedCard(serial=card.serial, person_id=card.person_id, reason=reason, ended_at=at)
    await queries.renumber(tx, card, ended)


async def _saved(tx: Session, card: Card, verb: str) -> CardOut:
    await queries.save(tx, card)
    person = await people_queries.find(tx, card.person_id)
    org_id = person.community_id if person else None
    await audit.write_about(tx, card.person_id, verb, ("card", card.person_id), org_id)
    return await cards.mine(tx, card.person_id)

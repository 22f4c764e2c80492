"""Offers: who moves up from the waiting list accepts the place in time, or it goes to the next."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.signups import SignupStatus
from app.queries import signup_offers as queries
from app.queries import signups as signup_queries
from app.queries.signup_offers import Lapsed
from app.schemas.signups import SignupOut
from app.services import eligibility, notify, waiting_lists
from app.services.notify import Message
from app.services.signups import SignupNotFound


class NoOffer(Refusal):
    code, status, title = "signups.no_offer", 409, "No offer"
    zh, en = "没有待接受的名额", "There is no place to accept."
    fact_names = ("status",)


class OfferOver(Refusal):
    code, status, title = "signups.offer_over", 409, "Offer over"
    zh, en = "名额已过接受时间", "The time to accept the place is over."
    fact_names = ("offer_until",)


async def accept(tx: Session, person_id: UUID, signup_id: UUID) -> SignupOut:
    """Accept the place that is offered to the person. Idempotent.

    Raises SignupNotFound, NoOffer, OfferOver, NotEligible (under 14, without a guardian's consent).
    """
    found = await signup_queries.lock_own(tx, signup_id, person_id)
    if found is None:
        raise SignupNotFound
    shown = SignupOut.model_validate(found)
    if found.status == SignupStatus.confirmed:
        return shown
    if found.offer_until is None:
        raise NoOffer(status=found.status)
    if (at := now()) >= found.offer_until:
        raise OfferOver(offer_until=found.offer_until)
    await eligibility.require_consent(tx, person_id)
    await signup_queries.change(tx, signup_id, SignupStatus.confirmed, at)
    return shown.model_copy(update={"status": SignupStatus.confirmed, "offer_until": None})


async def pass_on(tx: Session, at: datetime, limit: int) -> int:
    """End offers that were not accepted in time, and give the places to the next; return how many.

    Who did not accept is told, and may sign up again.
    """
    lapsed = await queries.lock_lapsed(tx, at, limit)
    await queries.end(tx, [one.id for one in lapsed], at)
    ordered = sorted(lapsed, key=_place)
    for (activity, session), group in groupby(ordered, key=_place):
        room, sessions = await waiting_lists.lock(tx, activity, session)
        freed = [(one.id, one.places) for one in group]
        await waiting_lists.release(tx, room, sessions, freed, at)
    await _tell(tx, lapsed)
    return len(lapsed)


async def fill_shifts(tx: Session, at: datetime, limit: int) -> int:
    """Give free places of shifts to who waits and has no other shift any more; return how many."""
    moved = 0
    for activity, number in await queries.shifts_with_room(tx, at, limit):
        room, sessions = await waiting_lists.lock(tx, activity, number)
        moved += len(await waiting_lists.fill(tx, room.seats, sessions, at))
        await waiting_lists.save(tx, room.seats, sessions)
    return moved


def _place(one: Lapsed) -> tuple[UUID, int]:
    return one.activity_id, one.session


async def _tell(tx: Session, lapsed: Sequence[Lapsed]) -> None:
    messages = [
        Message(
            one.person_id,
            ("activity", one.activity_id),
            {"title": one.title, "offer_until": one.offer_until},
        )
        for one in lapsed
    ]
    await notify.send_each(tx, "signup_offer_lapsed", messages)

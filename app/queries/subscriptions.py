"""SQL of subscriptions."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.notices import Notice
from app.models.subscriptions import Subscription, SubscriptionAnswer

MAX_CREDITS = 100


async def answer(
    session: Session, person: UUID, template_id: str, given: SubscriptionAnswer
) -> None:
    """Write an answer: an accept is one credit more, a ban ends all."""
    accepted = int(given is SubscriptionAnswer.accept)
    new = insert(Subscription).values(
        person_id=person, template_id=template_id, credits=accepted, answer=given
    )
    more: Any = func.least(col(Subscription.credits) + accepted, MAX_CREDITS)
    changes = {
        "credits": 0 if given is SubscriptionAnswer.ban else more,
        "answer": new.excluded.answer,
        "answered_at": func.now(),
    }
    keys = ["person_id", "template_id"]
    await session.execute(new.on_conflict_do_update(index_elements=keys, set_=changes))


async def of_person(session: Session, person: UUID) -> dict[str, Subscription]:
    query = select(Subscription).where(Subscription.person_id == person)
    return {one.template_id: one for one in await session.exec(query)}


async def with_credits(
    session: Session, people: Collection[UUID], templates: Collection[str]
) -> set[tuple[UUID, str]]:
    """Return who of the people may be sent which of the templates."""
    query = (
        select(Subscription.person_id, Subscription.template_id)
        .where(col(Subscription.person_id).in_(people), Subscription.credits > 0)
        .where(col(Subscription.template_id).in_(templates))
    )
    return {(person, template) for person, template in await session.exec(query)}


async def spend(session: Session, person: UUID, template_id: str, *, everything: bool) -> None:
    """Count one message as sent, or every credit as gone."""
    left = 0 if everything else func.greatest(col(Subscription.credits) - 1, 0)
    spent = update(Subscription).where(
        col(Subscription.person_id) == person, col(Subscription.template_id) == template_id
    )
    await session.execute(spent.values(credits=left))


async def facts_of(session: Session, outbox_id: int) -> dict[str, Any] | None:
    """Read the facts of the notice that a message of the outbox made."""
    query = select(Notice.facts).where(Notice.outbox_id == outbox_id)
    facts = (await session.exec(query)).first()
    return None if facts is None else dict(facts)

"""SQL of linked places and of check-ins there. ``people``: all accounts of one person."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlmodel import SQLModel, col, select

from app.core.db import Session
from app.models.linked_places import LinkedPlace, LinkedPlaceState, LinkedPlaceVisit


async def by_serial(session: Session, serial: int) -> LinkedPlace | None:
    query = select(LinkedPlace).where(LinkedPlace.serial == serial)
    return (await session.exec(query)).first()


async def is_linked(session: Session, shop: UUID, org: UUID) -> bool:
    query = select(LinkedPlace.id).where(LinkedPlace.shop_id == shop, LinkedPlace.org_id == org)
    query = query.where(LinkedPlace.state == LinkedPlaceState.linked)
    return (await session.exec(query)).first() is not None


async def on_day(
    session: Session, place: UUID, people: Sequence[UUID], day: date
) -> LinkedPlaceVisit | None:
    """Read the check-in of a person at a place on a day."""
    query = select(LinkedPlaceVisit).where(
        LinkedPlaceVisit.linked_place_id == place,
        col(LinkedPlaceVisit.person_id).in_(people),
        LinkedPlaceVisit.visited_on == day,
    )
    return (await session.exec(query)).first()


async def insert(session: Session, row: SQLModel) -> None:
    session.add(row)
    await session.flush()

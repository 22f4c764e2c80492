"""SQL of hand-overs and their codes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.checkouts import Checkout
from app.models.handovers import Handover, HandoverCode


async def renew_code(session: Session, code: HandoverCode) -> None:
    """Insert a code in place of an earlier one for the same person and session."""
    earlier = delete(HandoverCode).where(
        col(HandoverCode.pickup_id) == code.pickup_id,
        col(HandoverCode.activity_id) == code.activity_id,
        col(HandoverCode.session) == code.session,
    )
    await session.execute(earlier)
    session.add(code)
    await session.flush()


async def find_code(
    session: Session, child: UUID, activity: UUID, number: int, indexes: Sequence[bytes]
) -> HandoverCode | None:
    """Read a code of a child for a session. The child is locked, and so its codes."""
    query = select(HandoverCode).where(
        HandoverCode.child_id == child,
        HandoverCode.activity_id == activity,
        HandoverCode.session == number,
        col(HandoverCode.code_index).in_(indexes),
    )
    return (await session.exec(query)).first()


async def checkin(
    session: Session, activity: UUID, child: UUID, number: int
) -> tuple[UUID, bool] | None:
    """Read the check-in of a child at a session, and whether there is no check-out yet."""
    query = (
        select(Checkin.id, col(Checkout.id).is_(None))
        .outerjoin(Checkout, col(Checkout.checkin_id) == col(Checkin.id))
        .where(Checkin.activity_id == activity, Checkin.person_id == child)
        .where(Checkin.session == number)
    )
    return (await session.exec(query)).first()


async def of_checkin(session: Session, checkin_id: UUID) -> Handover | None:
    query = select(Handover).where(Handover.checkin_id == checkin_id)
    return (await session.exec(query)).first()


async def save(session: Session, row: Handover | HandoverCode) -> None:
    session.add(row)
    await session.flush()


async def page(
    session: Session, child: UUID, before: UUID | None, limit: int
) -> Sequence[tuple[Handover, str]]:
    """Read the hand-overs of a child, newest first, with the titles of the classes."""
    query = (
        select(Handover, Activity.title)
        .join(Activity, col(Activity.id) == col(Handover.activity_id))
        .where(Handover.child_id == child)
        .order_by(col(Handover.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Handover.id) < before)
    return (await session.exec(query)).all()

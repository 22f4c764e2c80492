"""SQL of quotas."""

from datetime import date
from uuid import UUID

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_

from app.core.db import Session
from app.models.quotas import Quota, QuotaKind


async def take(session: Session, person: UUID, kind: QuotaKind, day: date, limit: int) -> bool:
    """Count one more of a day; False, and nothing is counted, if there are ``limit`` already.

    Of two transactions of a person the second waits here for the end of the first.
    """
    first = insert(Quota).values(person_id=person, kind=kind, day=day, used=1)
    same_day = col(Quota.day) == first.excluded.day
    one_more = first.on_conflict_do_update(
        index_elements=[col(Quota.person_id), col(Quota.kind)],
        set_={"day": first.excluded.day, "used": case((same_day, Quota.used + 1), else_=1)},
        where=or_(~same_day, col(Quota.used) < limit),
    )
    taken = await session.execute(one_more.returning(col(Quota.used)))
    return taken.first() is not None

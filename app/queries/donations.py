"""SQL of donations of points and of honour marks."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.donations import HiddenHonour
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.people import Person
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward, RewardKind
from app.queries import people as people_queries

_BORN = func.coalesce(
    col(Person.birth_date), func.make_date(col(Person.birth_year), 12, 31), text("'-infinity'")
)


def _given(since: datetime, until: datetime, unit_id: int) -> list[Any]:
    """Return the conditions of donations that stand, of a time and in a unit."""
    return [
        Reward.kind == RewardKind.donation,
        Redemption.status == RedemptionStatus.collected,
        col(Redemption.undone_at).is_(None),
        Redemption.unit_id == unit_id,
        col(Redemption.settled_at) >= since,
        col(Redemption.settled_at) < until,
    ]


async def given(
    session: Session, person: UUID, since: datetime, until: datetime, unit_id: int
) -> int:
    """Sum the points that a person gave, with accounts that were merged into it."""
    people = [person, *await people_queries.merged_into(session, [person])]
    query = (
        select(func.coalesce(func.sum(Redemption.points), 0))
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .where(col(Redemption.person_id).in_(people), *_given(since, until, unit_id))
    )
    return int((await session.exec(query)).one())


async def honoured(
    session: Session,
    org_path: str,
    span: tuple[datetime, datetime],
    unit_id: int,
    *,
    least: int,
    born_until: date,
    limit: int,
) -> Sequence[tuple[str, bool, int]]:
    """Read name, consent to show it, and points of who gave at least so much in a subtree."""
    points = func.sum(Redemption.points)
    query = (
        select(Person.display_name, Person.shows_name, points)
        .join(Redemption, col(Redemption.person_id) == col(Person.id))
        .join(Reward, col(Reward.id) == col(Redemption.reward_id))
        .join(Merchant, col(Merchant.id) == col(Redemption.merchant_id))
        .join(Org, col(Org.id) == col(Merchant.org_id))
        .outerjoin(HiddenHonour, col(HiddenHonour.person_id) == col(Person.id))
        .where(
            col(Org.path).startswith(org_path, autoescape=True),
            col(HiddenHonour.person_id).is_(None),
            col(Person.erased_at).is_(None),
            born_until >= _BORN,
            *_given(*span, unit_id),
        )
        .group_by(col(Person.id))
        .having(points >= least)
        .order_by(points.desc(), col(Person.id))
        .limit(limit)
    )
    return [(name, shows, int(sum_)) for name, shows, sum_ in await session.exec(query)]


async def is_hidden(session: Session, person: UUID) -> bool:
    return await session.get(HiddenHonour, person) is not None


async def hide(session: Session, person: UUID, at: datetime) -> bool:
    """Hide a person's mark; False if it was hidden."""
    values = {"person_id": person, "hidden_at": at}
    done = insert(HiddenHonour).values(values).on_conflict_do_nothing()
    return (await session.execute(done.returning(col(HiddenHonour.person_id)))).first() is not None


async def unhide(session: Session, person: UUID) -> bool:
    """Show a person's mark again; False if it was shown."""
    gone = delete(HiddenHonour).where(col(HiddenHonour.person_id) == person)
    return (await session.execute(gone.returning(col(HiddenHonour.person_id)))).first() is not None

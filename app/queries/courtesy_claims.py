"""SQL of claims of courtesies and of their uses."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.courtesies import CourtesyPlace
from app.models.courtesy_claims import CourtesyClaim, CourtesyClaimState
from app.models.merchants import Merchant
from app.queries.records import Query

_LIVING = col(CourtesyClaim.state) != CourtesyClaimState.cancelled


async def taken(
    session: Session, people: Sequence[UUID], courtesies: Sequence[UUID], since: datetime
) -> Sequence[tuple[UUID, datetime, int]]:
    """Read which numbers of the quotas since a moment one person's accounts have."""
    query = select(CourtesyClaim.courtesy_id, CourtesyClaim.period_start, CourtesyClaim.number)
    query = query.where(
        col(CourtesyClaim.created_by).in_(people),
        col(CourtesyClaim.courtesy_id).in_(courtesies),
        col(CourtesyClaim.period_start) >= since,
        col(CourtesyClaim.number).is_not(None),
        _LIVING,
    )
    return [(one, start, number or 0) for one, start, number in await session.exec(query)]


async def choices(session: Session, people: Sequence[UUID], year: int) -> set[tuple[UUID, str]]:
    """Read organisations and groups of which one person's accounts have the choice of a year."""
    query = select(CourtesyClaim.org_id, CourtesyClaim.choice_group).where(
        col(CourtesyClaim.created_by).in_(people), CourtesyClaim.choice_year == year, _LIVING
    )
    return {(org, group or "") for org, group in await session.exec(query)}


async def add(session: Session, claim: CourtesyClaim) -> bool:
    """Insert a claim; False if a unique index has another one in its place."""
    values = claim.model_dump(exclude={"created_at"})
    done = insert(CourtesyClaim).values(values).on_conflict_do_nothing()
    return (await session.execute(done.returning(col(CourtesyClaim.id)))).first() is not None


def of_people(people: Sequence[UUID]) -> Query[CourtesyClaim]:
    """Select the claims of one person's accounts."""
    return select(CourtesyClaim).where(col(CourtesyClaim.created_by).in_(people))


def used_at(merchant: UUID) -> Query[CourtesyClaim]:
    """Select the claims that were used at a merchant."""
    return select(CourtesyClaim).where(CourtesyClaim.merchant_id == merchant)


async def usable(
    session: Session, people: Sequence[UUID], merchant: UUID, at: datetime
) -> Sequence[CourtesyClaim]:
    """Read what one person's accounts can use at a merchant, the oldest first."""
    query = (
        of_people(people)
        .join(CourtesyPlace, col(CourtesyPlace.courtesy_id) == col(CourtesyClaim.courtesy_id))
        .where(CourtesyPlace.merchant_id == merchant)
        .where(CourtesyClaim.state == CourtesyClaimState.claimed)
        .where(col(CourtesyClaim.valid_until) > at)
    )
    return (await session.exec(query.order_by(col(CourtesyClaim.id)))).all()


async def lock_at(
    session: Session, claim: UUID, people: Sequence[UUID], merchant: UUID
) -> CourtesyClaim | None:
    """Lock a claim of one person's accounts, of a courtesy that is used at a merchant."""
    here = select(CourtesyPlace.courtesy_id).where(CourtesyPlace.merchant_id == merchant)
    query = of_people(people).where(
        CourtesyClaim.id == claim, col(CourtesyClaim.courtesy_id).in_(here)
    )
    return (await session.exec(query.with_for_update())).first()


async def lock_oldest(
    session: Session, people: Sequence[UUID], courtesy: UUID, at: datetime
) -> CourtesyClaim | None:
    """Lock the oldest claim of a courtesy that one person's accounts can use.

    One that another request has locked is being used: the next one is taken.
    """
    query = (
        of_people(people)
        .where(CourtesyClaim.courtesy_id == courtesy)
        .where(CourtesyClaim.state == CourtesyClaimState.claimed)
        .where(col(CourtesyClaim.valid_until) > at)
        .order_by(col(CourtesyClaim.id))
        .limit(1)
    )
    return (await session.exec(query.with_for_update(skip_locked=True))).first()


async def lock_own(session: Session, claim: UUID, people: Sequence[UUID]) -> CourtesyClaim | None:
    """Lock a claim of one person's accounts."""
    query = of_people(people).where(CourtesyClaim.id == claim)
    return (await session.exec(query.with_for_update())).first()


async def merchant_names(session: Session, merchants: Sequence[UUID]) -> dict[UUID, str]:
    query = select(Merchant.id, Merchant.name).where(col(Merchant.id).in_(merchants))
    return dict((await session.exec(query)).all())

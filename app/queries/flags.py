"""SQL of flags: check-ins of a span that may be doubted, and the flags themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Float, cast, exists, func, update
from sqlalchemy import select as select_rows
from sqlalchemy.dialects.postgresql import insert as insert_row
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity
from app.models.checkins import Checkin
from app.models.flags import Flag
from app.queries import corrections

MILLIONTHS = 1_000_000


class Presence(NamedTuple):
    """When somebody came, and where: the phone if it told that, else the activity's place.

    ``radius_m``: how far from there the person may have been.
    """

    checkin_id: UUID
    activity_id: UUID
    org_id: UUID
    person_id: UUID
    came_at: datetime
    latitude: float
    longitude: float
    radius_m: int


async def returning(session: Session, since: UUID) -> list[Presence]:
    """Read the presences, recorded from an id on, of people with two activities since then."""
    other = aliased(Checkin)
    twice = exists().where(
        col(other.person_id) == col(Checkin.person_id),
        col(other.activity_id) != col(Checkin.activity_id),
        col(other.id) >= since,
    )
    came = func.coalesce(Checkin.came_at, Checkin.checked_in_at)
    query = (
        select_rows(
            col(Checkin.id),
            col(Checkin.activity_id),
            col(Activity.org_id),
            col(Checkin.person_id),
            came,
            _degrees(col(Checkin.latitude), col(Activity.latitude)),
            _degrees(col(Checkin.longitude), col(Activity.longitude)),
            func.coalesce(Activity.radius_m, 0),
        )
        .join(Activity, col(Activity.id) == col(Checkin.activity_id))
        .where(col(Checkin.id) >= since, twice, corrections.stands())
        .where(func.coalesce(Checkin.latitude, Activity.latitude).is_not(None))
        .order_by(col(Checkin.person_id), came, col(Checkin.id))
    )
    return [Presence._make(row) for row in (await session.execute(query)).all()]


def _degrees(told: Any, place: Any) -> Any:
    """What the phone told, in degrees; else the place of the activity."""
    return func.coalesce(cast(told, Float) / float(MILLIONTHS), place)


class Spot(NamedTuple):
    """A check-in, and the position that its phone told."""

    activity_id: UUID
    latitude: int
    longitude: int
    checked_in_at: datetime
    checkin_id: UUID
    org_id: UUID
    person_id: UUID


async def crowded(session: Session, since: UUID, people: int) -> list[Spot]:
    """Read the check-ins, from an id on, at spots of an activity that many phones told."""
    spot = (col(Checkin.activity_id), col(Checkin.latitude), col(Checkin.longitude))
    shared = (
        select_rows(*spot)
        .where(col(Checkin.id) >= since, col(Checkin.latitude).is_not(None))
        .group_by(*spot)
        .having(func.count(func.distinct(Checkin.person_id)) >= people)
        .subquery()
    )
    query = (
        select_rows(
            *spot,
            col(Checkin.checked_in_at),
            col(Checkin.id),
            col(Activity.org_id),
            col(Checkin.person_id),
        )
        .join(Activity, col(Activity.id) == col(Checkin.activity_id))
        .join(
            shared,
            (shared.c.activity_id == Checkin.activity_id)
            & (shared.c.latitude == Checkin.latitude)
            & (shared.c.longitude == Checkin.longitude),
        )
        .where(col(Checkin.id) >= since, corrections.stands())
        .order_by(*spot, col(Checkin.checked_in_at), col(Checkin.id))
    )
    return [Spot._make(row) for row in (await session.execute(query)).all()]


async def insert_new(session: Session, flag: Flag) -> UUID | None:
    """Insert a flag; None if the check-in has one of its kind."""
    row = insert_row(Flag).values(**flag.model_dump(exclude_none=True))
    statement = row.on_conflict_do_nothing().returning(col(Flag.id))
    found: UUID | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def known(session: Session, checkins: Sequence[UUID]) -> set[tuple[UUID, str]]:
    """Read which of the check-ins have flags, and of which kind."""
    query = select(Flag.checkin_id, Flag.kind).where(col(Flag.checkin_id).in_(checkins))
    return set((await session.exec(query)).all())


async def forget_positions(session: Session, since: UUID, until: UUID) -> int:
    """Empty the positions of check-ins with ids in a span; return how many."""
    statement = (
        update(Checkin)
        .where(col(Checkin.id) >= since, col(Checkin.id) < until)
        .where(col(Checkin.latitude).is_not(None))
        .values(latitude=None, longitude=None)
        .returning(col(Checkin.id))
        .execution_options(synchronize_session=False)
    )
    return len((await session.execute(statement)).all())

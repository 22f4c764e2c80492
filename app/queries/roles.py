"""SQL of roles: granting, ending, listing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, literal
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.people import Person, Role, RoleGrant
from app.queries.people import in_force, not_ended


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A role at an organisation or a merchant; ``starts_at`` None: from now on."""

    person_id: UUID
    role: str
    org_id: UUID | None
    merchant_id: UUID | None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A grant with the names of its holder and place. ``org``: also that of the merchant."""

    grant: RoleGrant
    display_name: str
    org: Org
    merchant_name: str | None


@dataclass(frozen=True, slots=True)
class RoleFilter:
    role: str | None = None
    person_id: UUID | None = None
    merchant_id: UUID | None = None


async def grant(session: Session, new: NewGrant) -> RoleGrant | None:
    """Grant a role; None if it is held there already, now or from a later time on.

    A grant that has ended gives way.
    """
    same = [
        col(RoleGrant.person_id) == new.person_id,
        col(RoleGrant.role) == new.role,
        col(RoleGrant.org_id).is_not_distinct_from(new.org_id),
        col(RoleGrant.merchant_id).is_not_distinct_from(new.merchant_id),
    ]
    await session.execute(delete(RoleGrant).where(*same, ~not_ended()))
    values: dict[str, Any] = {
        "person_id": new.person_id,
        "role": new.role,
        "org_id": new.org_id,
        "merchant_id": new.merchant_id,
        "ends_at": new.ends_at,
    }
    if new.starts_at is not None:
        values["starts_at"] = new.starts_at
    query = insert(RoleGrant).values(values).on_conflict_do_nothing().returning(RoleGrant)
    return (await session.execute(query)).scalar_one_or_none()


async def held_at(session: Session, new: NewGrant) -> RoleGrant:
    """Read the grant that kept ``grant`` from granting the same."""
    query = select(RoleGrant).where(
        RoleGrant.person_id == new.person_id,
        RoleGrant.role == new.role,
        col(RoleGrant.org_id).is_not_distinct_from(new.org_id),
        col(RoleGrant.merchant_id).is_not_distinct_from(new.merchant_id),
    )
    return (await session.exec(query)).one()


async def lock(session: Session, role_id: UUID) -> tuple[RoleGrant, Org] | None:
    """Lock a grant that has not ended; return it with the organisation, also of its merchant."""
    return await _lock(session, RoleGrant.id == role_id)


async def lock_staff(
    session: Session, person_id: UUID, merchant_id: UUID
) -> tuple[RoleGrant, Org] | None:
    """Lock the grant of a merchant's staff as ``lock`` does."""
    return await _lock(
        session, RoleGrant.person_id == person_id, RoleGrant.merchant_id == merchant_id
    )


async def _lock(
    session: Session, *where: ColumnElement[bool] | bool
) -> tuple[RoleGrant, Org] | None:
    query = (
        select(RoleGrant, Org)
        .outerjoin(Merchant, col(Merchant.id) == col(RoleGrant.merchant_id))
        .join(Org, col(Org.id) == func.coalesce(RoleGrant.org_id, Merchant.org_id))
        .where(*where, not_ended())
        .with_for_update(of=RoleGrant)
    )
    return (await session.exec(query)).first()


async def end(session: Session, grant: RoleGrant) -> None:
    await session.delete(grant)
    await session.flush()


async def administered_roots(session: Session, person_id: UUID) -> Sequence[Org]:
    """Read the roots whose administrator the person is, or will be."""
    query = (
        select(Org)
        .join(RoleGrant, col(RoleGrant.org_id) == col(Org.id))
        .where(RoleGrant.person_id == person_id, RoleGrant.role == Role.administrator, not_ended())
        .where(col(Org.parent_id).is_(None))
        .order_by(col(Org.id))
    )
    return list(await session.exec(query))


async def administers_every_root(session: Session, person_id: UUID) -> bool:
    """Whether the person is an administrator now of each organisation that has none above it."""
    others = _roots().where(~_administered_by(person_id)).limit(1)
    return (await session.exec(others)).first() is None


async def administers_a_root(session: Session, person_id: UUID) -> bool:
    """Whether the person is an administrator now of an organisation that has none above it."""
    mine = _roots().where(_administered_by(person_id)).limit(1)
    return (await session.exec(mine)).first() is not None


def _roots() -> SelectOfScalar[UUID]:
    return select(Org.id).where(col(Org.parent_id).is_(None))


def _administered_by(person_id: UUID) -> ColumnElement[bool]:
    held = select(RoleGrant.id).where(RoleGrant.org_id == Org.id, in_force())
    return held.where(
        RoleGrant.person_id == person_id, RoleGrant.role == Role.administrator
    ).exists()


async def another_stays(session: Session, org_id: UUID, but: UUID) -> bool:
    """Whether an organisation keeps an administrator without ``but``.

    Who is suspended, begins later, or holds the role until some day, does not count.
    """
    query = (
        select(RoleGrant.id)
        .where(RoleGrant.org_id == org_id, RoleGrant.role == Role.administrator, in_force())
        .where(RoleGrant.person_id != but, col(RoleGrant.ends_at).is_(None))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def outside(session: Session, person_id: UUID, paths: Sequence[str]) -> Held | None:
    """Read a role of a person, not ended, that is in none of these subtrees."""
    query = _held().where(RoleGrant.person_id == person_id)
    for path in paths:
        query = query.where(~col(Org.path).startswith(path, autoescape=True))
    found = (await session.exec(query.order_by(col(RoleGrant.id)).limit(1))).first()
    return Held(*found) if found is not None else None


async def beyond(session: Session, person_id: UUID, other: UUID) -> Held | None:
    """Read a role of a person, not ended, that another person does not hold as widely and as long.

    As widely: at the same merchant, or at the same organisation or above.
    """
    theirs, place = aliased(RoleGrant), aliased(Org)
    as_wide = (
        select(theirs.id)
        .outerjoin(place, col(place.id) == theirs.org_id)
        .where(theirs.person_id == other, theirs.role == RoleGrant.role)
        .where(
            or_(
                col(theirs.merchant_id) == col(RoleGrant.merchant_id),
                col(Org.path).op("^@")(col(place.path)),
            )
        )
        .where(col(theirs.starts_at) <= func.greatest(RoleGrant.starts_at, func.now()))
        .where(or_(col(theirs.ends_at).is_(None), col(theirs.ends_at) >= col(RoleGrant.ends_at)))
        .correlate(RoleGrant, Org)
        .exists()
    )
    query = _held().where(RoleGrant.person_id == person_id, ~as_wide)
    found = (await session.exec(query.order_by(col(RoleGrant.id)).limit(1))).first()
    return Held(*found) if found is not None else None


async def page(
    session: Session, org_path: str, wanted: RoleFilter, before: UUID | None, limit: int
) -> Sequence[Held]:
    """Read the roles of a subtree that have not ended, newest first."""
    query = (
        _held()
        .where(col(Org.path).startswith(org_path, autoescape=True))
        .order_by(col(RoleGrant.id).desc())
        .limit(limit)
    )
    if wanted.role is not None:
        query = query.where(RoleGrant.role == wanted.role)
    if wanted.person_id is not None:
        query = query.where(RoleGrant.person_id == wanted.person_id)
    if wanted.merchant_id is not None:
        query = query.where(RoleGrant.merchant_id == wanted.merchant_id)
    if before is not None:
        query = query.where(col(RoleGrant.id) < before)
    return [Held(*row) for row in await session.exec(query)]


async def keeps_until(
    session: Session, person_id: UUID, merchant_id: UUID, roles: Collection[str], org_path: str
) -> datetime | None:
    """Read when a keeper of a merchant stops being one; None: never.

    A keeper is on its staff, or holds one of the roles at its organisation or above.
    """
    above = select(Org.id).where(literal(org_path).op("^@")(col(Org.path)))
    at_org = and_(col(RoleGrant.role).in_(roles), col(RoleGrant.org_id).in_(above))
    query = (
        select(RoleGrant.ends_at)
        .where(RoleGrant.person_id == person_id, in_force())
        .where(or_(col(RoleGrant.merchant_id) == merchant_id, at_org))
        .order_by(col(RoleGrant.ends_at).desc().nulls_first())
        .limit(1)
    )
    return (await session.exec(query)).first()


def _held() -> Any:
    return (
        select(RoleGrant, Person.display_name, Org, Merchant.name)
        .join(Person, col(Person.id) == col(RoleGrant.person_id))
        .outerjoin(Merchant, col(Merchant.id) == col(RoleGrant.merchant_id))
        .join(Org, col(Org.id) == func.coalesce(RoleGrant.org_id, Merchant.org_id))
        .where(not_ended())
    )

"""SQL of templates of activities."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import literal, or_
from sqlmodel import col, select

from app.core.db import Session
from app.models.activity_templates import ActivityTemplate
from app.models.orgs import Org
from app.models.people import RoleGrant
from app.queries.people import in_force


async def usable_at(
    session: Session, org_path: str, before: UUID | None, limit: int
) -> Sequence[ActivityTemplate]:
    """Read the templates of an organisation and of those above it, newest first."""
    query = (
        select(ActivityTemplate)
        .join(Org, col(Org.id) == col(ActivityTemplate.org_id))
        .where(literal(org_path).op("^@")(col(Org.path)))
        .order_by(col(ActivityTemplate.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(ActivityTemplate.id) < before)
    return (await session.exec(query)).all()


async def is_near(session: Session, person_id: UUID, roles: Collection[str], org_path: str) -> bool:
    """Whether the person holds one of the roles at the organisation, above or below it."""
    place, path = literal(org_path), col(Org.path)
    query = (
        select(RoleGrant.id)
        .join(Org, col(Org.id) == col(RoleGrant.org_id))
        .where(RoleGrant.person_id == person_id, col(RoleGrant.role).in_(roles), in_force())
        .where(or_(place.op("^@")(path), path.op("^@")(place)))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def delete(session: Session, template: ActivityTemplate) -> None:
    await session.delete(template)
    await session.flush()

"""SQL of changes to the organisation tree; its writers lock the roots, one after the other."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, literal, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import Activity, ActivityStatus
from app.models.orgs import Org
from app.queries import divisions


async def lock_roots(session: Session, paths: Sequence[str]) -> None:
    """Lock the roots of paths in the order of their ids: no other writer changes their trees."""
    codes = {path.split("/")[1] for path in paths}
    query = select(Org.id).where(col(Org.code).in_(codes)).order_by(col(Org.id))
    await session.exec(query.with_for_update(key_share=True))


async def insert_org(session: Session, parent: Org, code: str, name: str, level: str) -> Org | None:
    """Insert an organisation; None if the code is taken."""
    values = {
        "code": code,
        "name": name,
        "level": level,
        "parent_id": parent.id,
        "path": f"{parent.path}{code}/",
    }
    query = insert(Org).values(values).on_conflict_do_nothing(index_elements=[col(Org.code)])
    return (await session.execute(query.returning(Org))).scalar_one_or_none()


async def save(session: Session, org: Org) -> None:
    session.add(org)
    await session.flush()


async def open_children(session: Session, org_id: UUID) -> int:
    query = select(func.count()).select_from(Org)
    is_open = col(Org.closed_at).is_(None)
    return (await session.exec(query.where(Org.parent_id == org_id, is_open))).one()


async def running_activities(session: Session, org_id: UUID, at: datetime) -> int:
    """Count the published activities of an organisation that are not over."""
    query = select(func.count()).select_from(Activity).where(Activity.org_id == org_id)
    published = Activity.status == ActivityStatus.published
    return (await session.exec(query.where(published, col(Activity.ends_at) > at))).one()


async def move(session: Session, org: Org, parent: Org) -> None:
    """Put an organisation below another one, with its subtree and the activities in it.

    Waits for transactions that create something in the subtree (``orgs.share``).
    """
    before, after = org.path, f"{parent.path}{org.code}/"
    rest = func.substr(col(Org.path), len(before) + 1)
    below = update(Org).where(col(Org.path).startswith(before, autoescape=True))
    options = {"synchronize_session": False}
    moved = below.values(path=literal(after) + rest)
    await session.execute(moved.execution_options(**options))
    to_parent = update(Org).where(col(Org.id) == org.id).values(parent_id=parent.id)
    await session.execute(to_parent.execution_options(**options))
    await session.refresh(org)
    await divisions.follow_paths(session)

"""SQL shared by all records of organisations."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import inspect, literal
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.models.base import Record
from app.models.orgs import Org

M = TypeVar("M", bound=Record)
# Made here, passed on by services.
Query = SelectOfScalar


def below(model: type[M], org_path: str, **equal: Any) -> Query[M]:
    """Select the records of a subtree whose columns have these values."""
    query = where(model, **equal).join(Org, col(Org.id) == col(model.org_id))
    return query.where(col(Org.path).startswith(org_path, autoescape=True))


def above(model: type[M], org_path: str, **equal: Any) -> Query[M]:
    """Select the records of an organisation and of those above it."""
    query = where(model, **equal).join(Org, col(Org.id) == col(model.org_id))
    return query.where(literal(org_path).op("^@")(col(Org.path)))


def where(model: type[M], **equal: Any) -> Query[M]:
    """Select the records whose columns have these values."""
    return select(model).filter_by(**equal)


async def find(session: Session, model: type[M], record_id: UUID) -> M | None:
    return await session.get(model, record_id)


async def lock(session: Session, model: type[M], record_id: UUID) -> M | None:
    query = select(model).where(col(model.id) == record_id).with_for_update()
    return (await session.exec(query)).first()


async def page(
    session: Session, query: Query[M], model: type[M], before: UUID | None, limit: int
) -> Sequence[M]:
    """Read a page of a query, newest first, ids below ``before``."""
    query = query.order_by(col(model.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(model.id) < before)
    return (await session.exec(query)).all()


async def save(session: Session, record: Record) -> None:
    """Insert a new record, or update the changed columns of a locked one."""
    session.add(record)
    await session.flush()


def changed(record: SQLModel) -> list[str]:
    """Return the names of columns whose values have not been written yet."""
    return sorted(name for name, one in inspect(record).attrs.items() if one.history.has_changes())

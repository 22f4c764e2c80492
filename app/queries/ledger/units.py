"""SQL of units."""

from collections.abc import Sequence

from sqlmodel import col, func, select

from app.core.db import Session
from app.models.ledger import Unit


async def open_unit(session: Session, code: str, name: str, name_en: str | None) -> int | None:
    """Insert a unit and return its id; None if its code exists, or another is opened meanwhile.

    By a function of the schema's owner: the service's role has no right to insert.
    """
    opened = select(func.open_unit(code, name, name_en))
    found: int | None = (await session.exec(opened)).one()
    return found


async def page(session: Session, after: str | None, limit: int) -> Sequence[Unit]:
    """Read units by code."""
    query = select(Unit).order_by(col(Unit.code)).limit(limit)
    if after is not None:
        query = query.where(col(Unit.code) > after)
    return (await session.exec(query)).all()


async def units(session: Session) -> dict[str, int]:
    """Read the ids of all units by code."""
    return dict((await session.exec(select(Unit.code, Unit.id))).all())


async def unit_name(session: Session, unit: int) -> str:
    """Read the name of a unit."""
    return (await session.exec(select(Unit.name_zh).where(Unit.id == unit))).one()

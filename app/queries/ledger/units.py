"""SQL of units."""

from sqlalchemy import literal
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select

from app.core.db import Session
from app.models.ledger import Unit


async def open_unit(session: Session, code: str, name: str) -> int | None:
    """Insert a unit and return its id; None if its code exists."""
    new = select(func.max(Unit.id) + 1, literal(code), literal(name))
    query = (
        insert(Unit)
        .from_select(["id", "code", "name_zh"], new)
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(col(Unit.id))
    )
    return (await session.execute(query)).scalar_one_or_none()


async def units(session: Session) -> dict[str, int]:
    """Read the ids of all units by code."""
    return dict((await session.exec(select(Unit.code, Unit.id))).all())


async def unit_name(session: Session, unit: int) -> str:
    """Read the name of a unit."""
    return (await session.exec(select(Unit.name_zh).where(Unit.id == unit))).one()

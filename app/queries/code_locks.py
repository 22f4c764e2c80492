"""SQL of merchants that were shown too many wrong codes."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select

from app.core.db import Session
from app.models.code_locks import CodeLock


async def find(session: Session, merchant: UUID) -> CodeLock | None:
    return await session.get(CodeLock, merchant)


async def lock(session: Session, merchant: UUID) -> CodeLock:
    """Lock the row of a merchant, which is made if there is none."""
    await session.execute(insert(CodeLock).values(merchant_id=merchant).on_conflict_do_nothing())
    query = select(CodeLock).where(CodeLock.merchant_id == merchant).with_for_update()
    return (await session.exec(query)).one()


async def save(session: Session, row: CodeLock) -> None:
    """Write the changed columns of a locked row."""
    session.add(row)
    await session.flush()

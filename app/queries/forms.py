"""SQL of forms."""

from uuid import UUID

from sqlmodel import select

from app.core.db import Session
from app.models.forms import FormVersion


async def version(session: Session, form_id: UUID, number: int) -> FormVersion | None:
    """Read a version of a form by its number."""
    query = select(FormVersion).where(FormVersion.form_id == form_id, FormVersion.number == number)
    return (await session.exec(query)).first()


async def add(session: Session, version: FormVersion) -> None:
    session.add(version)
    await session.flush()

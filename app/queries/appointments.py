"""SQL of appointments by code."""

from sqlmodel import select

from app.core.db import Session
from app.models.appointments import Appointment


async def lock_by_code(session: Session, code_hash: bytes) -> Appointment | None:
    query = select(Appointment).where(Appointment.code_hash == code_hash).with_for_update()
    return (await session.exec(query)).first()

"""SQL of devices."""

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select

from app.core.db import Session
from app.models.devices import Device, DeviceState


async def count_active(session: Session, org_id: UUID) -> int:
    query = select(func.count()).where(Device.org_id == org_id, Device.state == DeviceState.active)
    return (await session.exec(query)).one()


async def add(session: Session, device: Device) -> Device | None:
    """Insert a device; None if another one has its public key, or had it."""
    query = (
        insert(Device)
        .values(**device.model_dump(exclude_none=True))
        .on_conflict_do_nothing(index_elements=["public_key"])
        .returning(Device)
    )
    return (await session.execute(query)).scalar_one_or_none()

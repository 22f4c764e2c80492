"""The staff of a merchant: added by an appointment code that the person accepts, and removed."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.models.merchants import Merchant, MerchantState
from app.queries import merchants as queries
from app.schemas.appointments import AppointmentOut
from app.schemas.merchants import RemovalIn, StaffListOut, StaffOut
from app.services import appointments, people, roles
from app.services.merchants import access
from app.services.merchants.access import MerchantWrongState


class StaffNotFound(Refusal):
    code, status, title = "merchants.staff_not_found", 404, "No such staff"
    zh, en = "该人员不是本商户店员", "This person is not on the staff."


async def make_code(tx: Session, caller: UUID, merchant_id: UUID) -> AppointmentOut:
    """Make an appointment code for somebody who begins to work at a merchant.

    Raises MerchantNotFound, MerchantWrongState (it was not approved), OrgClosed.
    """
    merchant = await access.kept(tx, caller, merchant_id)
    if merchant.state not in (MerchantState.active, MerchantState.suspended):
        raise MerchantWrongState(status=merchant.state)
    return await appointments.offer_staff(tx, caller, merchant)


async def browse(tx: Session, caller: UUID, merchant_id: UUID) -> StaffListOut:
    """Return the staff of a merchant, for auditors with masked names. Raises MerchantNotFound."""
    merchant = await access.get(tx, merchant_id)
    if await access.keeps(tx, caller, merchant):
        return await _staff(tx, merchant)
    return await _staff(tx, await access.read_above(tx, caller, merchant_id), masks=True)


async def remove(tx: Session, caller: UUID, merchant_id: UUID, body: RemovalIn) -> StaffListOut:
    """End somebody's work at a merchant at once. Raises MerchantNotFound, StaffNotFound."""
    merchant = await access.kept(tx, caller, merchant_id)
    if not await roles.end_staff(tx, caller, body.person_id, merchant.id, body.reason):
        raise StaffNotFound
    return await _staff(tx, merchant)


async def _staff(tx: Session, merchant: Merchant, *, masks: bool = False) -> StaffListOut:
    rows = await queries.staff(tx, merchant.id)
    found = [
        StaffOut(person_id=who, display_name=people.masked(name) if masks else name, since=at)
        for who, name, at in rows
    ]
    return StaffListOut(items=found)

"""The staff of a merchant: added by a one-time code that the person enters, and removed."""

import secrets
from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.merchants import Merchant, MerchantState, StaffCode
from app.queries import merchants as queries
from app.queries import records as record_queries
from app.schemas.merchants import MerchantOut, RemovalIn, StaffCodeOut, StaffListOut, StaffOut
from app.services import audit, people, records, roles
from app.services.merchants import access
from app.services.merchants.access import MerchantWrongState

LIFETIME = timedelta(minutes=10)
# Crockford's base 32, as of pick-up codes. 50 bits.
ALPHABET, LENGTH = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 10


class StaffCodeInvalid(Refusal):
    """An unknown, used or expired code; the reply does not tell which."""

    code, status, title = "merchants.staff_code_invalid", 422, "Staff code invalid"
    zh, en = "店员码无效或已过期", "The staff code is not valid."


class OwnStaffCode(Refusal):
    code, status, title = "merchants.own_staff_code", 403, "Own staff code"
    zh, en = "不能使用自己生成的店员码", "Nobody may enter a code of their own."


class StaffNotFound(Refusal):
    code, status, title = "merchants.staff_not_found", 404, "No such staff"
    zh, en = "该人员不是本商户店员", "This person is not on the staff."


async def make_code(tx: Session, caller: UUID, merchant_id: UUID) -> StaffCodeOut:
    """Make a code for somebody who begins to work at a merchant.

    Raises MerchantNotFound, MerchantWrongState (it was not approved).
    """
    merchant = await access.kept(tx, caller, merchant_id)
    if merchant.state not in (MerchantState.active, MerchantState.suspended):
        raise MerchantWrongState(status=merchant.state)
    made = StaffCode(
        org_id=merchant.org_id,
        created_by=caller,
        merchant_id=merchant.id,
        code="".join(secrets.choice(ALPHABET) for _ in range(LENGTH)),
        expires_at=now() + LIFETIME,
    )
    await records.create(tx, caller, made, **audit.about("merchant", merchant.id))
    return StaffCodeOut.model_validate(made)


async def accept(tx: Session, caller: UUID, code: str) -> MerchantOut:
    """Become staff of the merchant of a code. Raises StaffCodeInvalid, OwnStaffCode."""
    found = await queries.lock_code(tx, code.upper())
    if found is None or found.used_at is not None or found.expires_at <= now():
        raise StaffCodeInvalid
    if found.created_by == caller:
        raise OwnStaffCode
    found.used_at = now()
    await record_queries.save(tx, found)
    await roles.appoint_staff(tx, found.created_by, caller, found.merchant_id)
    return MerchantOut.model_validate(await access.get(tx, found.merchant_id))


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

"""Appointments by code: an administrator shows a code, the person enters it on their own phone.

A code for the staff of a merchant is also shown by who keeps the merchant.
So nobody gets a role without knowing of it, and no card number has to be told.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.appointments import Appointment
from app.models.merchants import Merchant
from app.models.people import Role
from app.queries import appointments as queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.appointments import AppointmentCaseOut, AppointmentOut, OfferOut
from app.schemas.roles import RoleHolderOut, TermIn
from app.services import audit, people, records, roles
from app.services.merchants import access
from app.services.roles import Place, Term

CODE_DIGITS = 18
LIFETIME = timedelta(minutes=10)


class AppointmentCodeInvalid(Refusal):
    """An unknown code, or one whose maker may not give the role any more, or not for so long."""

    code, status, title = "appointments.code_invalid", 422, "Appointment code invalid"
    zh, en = "任命码无效，请核对后重试", "The appointment code is not valid."


class AppointmentExpired(Refusal):
    code, status, title = "appointments.expired", 409, "Appointment code expired"
    zh, en = "任命码已过期，请出示人重新生成", "The appointment code has expired; ask for another."
    fact_names = ("expires_at",)


class AppointmentAccepted(Refusal):
    code, status, title = "appointments.accepted", 409, "Appointment code used"
    zh, en = "任命码已使用", "The appointment code has been used."
    fact_names = ("used_at",)


async def offer(tx: Session, caller: UUID, body: TermIn) -> AppointmentOut:
    """Make a code for a role.

    Raises Invalid, OrgNotFound, MerchantNotFound, OrgClosed, Forbidden.
    """
    place, term = await roles.administered(tx, caller, body)
    return await _make(tx, caller, body.role, place, term)


async def offer_staff(tx: Session, caller: UUID, merchant: Merchant) -> AppointmentOut:
    """Make a code for the staff of a merchant that the caller keeps.

    Who keeps it until some day gives the role until then. Raises OrgClosed.
    """
    place = await roles.place_of(tx, Role.merchant_staff, None, merchant.id)
    until = await access.keeps_until(tx, caller, merchant)
    return await _make(tx, caller, Role.merchant_staff, place, (None, until))


async def _make(tx: Session, caller: UUID, role: Role, place: Place, term: Term) -> AppointmentOut:
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    made = Appointment(
        org_id=place.org.id,
        created_by=caller,
        role=role,
        merchant_id=place.merchant_id,
        starts_at=term[0],
        ends_at=term[1],
        code_hash=_hash(code),
        expires_at=now() + LIFETIME,
    )
    await records.create(tx, caller, made, role=role)
    return AppointmentOut(**made.model_dump(exclude={"code_hash"}), code=code)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, asked: PageParams
) -> Page[AppointmentCaseOut]:
    """Return the appointments of a subtree, newest first; names are masked for auditors.

    Raises OrgNotFound, Forbidden.
    """
    org = await records.authorized(tx, caller, roles.READERS, org_id)
    masks = not await people.holds(tx, caller, [Role.administrator], org.path)

    async def shown(found: Sequence[Appointment]) -> list[AppointmentCaseOut]:
        ids = {one.created_by for one in found} | {one.accepted_by for one in found}
        named = await people_queries.names(tx, [one for one in ids if one is not None])
        names = {
            who: people.masked(one.display_name) if masks else one.display_name
            for who, one in named.items()
        }
        return [_case(one, names) for one in found]

    return await records.browse(tx, caller, roles.READERS, org_id, Appointment, shown, asked)


def _case(one: Appointment, names: Mapping[UUID, str]) -> AppointmentCaseOut:
    return AppointmentCaseOut(
        **one.model_dump(exclude={"code_hash"}),
        offered_by=names[one.created_by],
        accepted_name=names[one.accepted_by] if one.accepted_by else None,
    )


async def look_up(tx: Session, code: str) -> OfferOut:
    """Return what a code appoints to.

    Raises AppointmentCodeInvalid, AppointmentAccepted, AppointmentExpired, OrgClosed.
    """
    made, place = await _offered(tx, code)
    names = await people_queries.names(tx, [made.created_by])
    return OfferOut(
        role=Role(made.role),
        org_name=place.org.name,
        merchant_name=place.name if place.merchant_id else None,
        offered_by=people.masked(names[made.created_by].display_name),
        expires_at=made.expires_at,
        starts_at=made.starts_at,
        ends_at=made.ends_at,
    )


async def accept(tx: Session, caller: UUID, code: str) -> RoleHolderOut:
    """Accept the role of a code; it can be used once. Who made it appoints.

    Raises AppointmentCodeInvalid, AppointmentAccepted, AppointmentExpired, OwnRole, RoleHeld,
    OrgClosed.
    """
    made, place = await _offered(tx, code)
    term = (made.starts_at, made.ends_at)
    found = await roles.grant(tx, made.created_by, caller, Role(made.role), place, term)
    made.accepted_by, made.accepted_at = caller, now()
    await record_queries.save(tx, made)
    await audit.write(tx, caller, "accepted", made)
    return found


async def _offered(tx: Session, code: str) -> tuple[Appointment, Place]:
    """Lock the appointment of a code that can be accepted."""
    made = await queries.lock_by_code(tx, _hash(code))
    if made is None:
        raise AppointmentCodeInvalid
    if made.accepted_at is not None:
        raise AppointmentAccepted(used_at=made.accepted_at)
    if now() >= made.expires_at:
        raise AppointmentExpired(expires_at=made.expires_at)
    org_id = None if made.merchant_id else made.org_id
    place = await roles.place_of(tx, Role(made.role), org_id, made.merchant_id)
    may, until = await _right(tx, made.created_by, place)
    if not may:
        raise AppointmentCodeInvalid
    if until is not None and (made.ends_at is None or made.ends_at > until):
        raise AppointmentCodeInvalid
    return made, place


async def _right(tx: Session, maker: UUID, place: Place) -> tuple[bool, datetime | None]:
    """Tell whether the maker of a code may give its role now, and until when; None: no end."""
    if place.merchant_id is not None:
        merchant = await access.get(tx, place.merchant_id)
        may = await access.keeps(tx, maker, merchant)
        return may, await access.keeps_until(tx, maker, merchant)
    path = place.org.path
    may = await people_queries.has_role_at(tx, maker, [Role.administrator], path)
    return may, await people_queries.administers_until(tx, maker, path)


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()

"""A merchant, and who acts for it: its staff, or the organizers of its organisation."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.models.merchants import Merchant, MerchantState
from app.queries import merchants as queries
from app.queries import people as people_queries
from app.queries import roles as role_queries
from app.queries.people import Workplace
from app.services import orgs, people, records
from app.services.attachments.subjects import Access, Subject


class MerchantNotFound(Refusal):
    code, status, title = "merchants.not_found", 404, "No such merchant"
    zh, en = "商户不存在", "There is no such merchant."


class MerchantNotYours(Refusal):
    code, status, title = "merchants.not_yours", 403, "Not your merchant"
    zh, en = "您不是该商户的店员", "You do not work at the merchant that X-Merchant names."


class MerchantSuspended(Refusal):
    code, status, title = "merchants.suspended", 409, "Merchant suspended"
    zh, en = (
        "该商户已暂停，不能收款和核销",
        "The merchant is suspended: no charges, no collections.",
    )


class MerchantWrongState(records.WrongState):
    code = "merchants.wrong_state"


class Staff(NamedTuple):
    """A person of a merchant's staff; ``merchant_id``: which merchant, if there are several."""

    person_id: UUID
    merchant_id: UUID | None = None


def workplace(found: list[Workplace], wanted: UUID | None, *, sells: bool) -> Workplace | Refusal:
    """Return the workplace that is wanted, by default the oldest that is not suspended.

    ``sells``: to charge or to collect. Outcomes: Workplace, or Forbidden (no workplace at all),
    MerchantNotYours, MerchantSuspended.
    """
    if not found:
        return people.Forbidden()
    chosen = [one for one in found if wanted in (None, one.merchant_id)]
    if not chosen:
        return MerchantNotYours()
    active = [one for one in chosen if one.state == MerchantState.active]
    if not active and sells:
        return MerchantSuspended()
    return (active or chosen)[0]


async def of_staff(tx: Session, staff: Staff, *, sells: bool = False) -> Merchant:
    """Return the merchant that a member of its staff acts for.

    Raises Forbidden, MerchantNotYours; with ``sells`` also MerchantSuspended.
    """
    found = await people_queries.merchants_of(tx, [staff.person_id])
    place = workplace(found.get(staff.person_id, []), staff.merchant_id, sells=sells)
    if isinstance(place, Refusal):
        raise place
    return await get(tx, place.merchant_id)


async def org_of_staff(tx: Session, asked: dict[str, Any]) -> UUID:
    """Return the organisation of the merchant of the argument ``staff``. Raises as ``of_staff``."""
    return (await of_staff(tx, asked["staff"])).org_id


async def get(tx: Session, merchant_id: UUID) -> Merchant:
    """Return a merchant. Raises MerchantNotFound."""
    merchant = await queries.find(tx, merchant_id)
    if merchant is None:
        raise MerchantNotFound
    return merchant


async def managed(tx: Session, caller: UUID, merchant_id: UUID) -> Merchant:
    """Return a merchant of the caller's subtrees, as organizer or administrator.

    Raises MerchantNotFound.
    """
    merchant = await get(tx, merchant_id)
    if not await people.holds(tx, caller, people.ORGANIZERS, await _path(tx, merchant)):
        raise MerchantNotFound
    return merchant


async def read_above(tx: Session, caller: UUID, merchant_id: UUID) -> Merchant:
    """Return a merchant of the subtrees that the caller organizes, administers or audits.

    Raises MerchantNotFound.
    """
    merchant = await get(tx, merchant_id)
    if not await people.holds(tx, caller, people.READERS, await _path(tx, merchant)):
        raise MerchantNotFound
    return merchant


async def kept(tx: Session, caller: UUID, merchant_id: UUID) -> Merchant:
    """Lock a merchant that the caller works at, or organizes. Raises MerchantNotFound."""
    merchant = await queries.lock(tx, merchant_id)
    if merchant is None or not await keeps(tx, caller, merchant):
        raise MerchantNotFound
    return merchant


async def keeps(tx: Session, caller: UUID | None, merchant: Merchant) -> bool:
    """Tell whether a person is on the staff of a merchant, or an organizer above it."""
    if await people.holds(tx, caller, people.ORGANIZERS, await _path(tx, merchant)):
        return True
    return caller is not None and await people_queries.is_staff_of(tx, caller, merchant.id)


async def keeps_until(tx: Session, caller: UUID, merchant: Merchant) -> datetime | None:
    """Return when a person who ``keeps`` a merchant stops to; None: never."""
    path = await _path(tx, merchant)
    return await role_queries.keeps_until(tx, caller, merchant.id, people.ORGANIZERS, path)


async def _path(tx: Session, merchant: Merchant) -> str:
    return (await orgs.get(tx, merchant.org_id)).path


async def access_to(tx: Session, caller: UUID | None, merchant_id: UUID) -> Access | None:
    """Return a caller's rights to the attachments of a merchant, its rewards and its shops.

    Everybody reads them. Its staff, and the organizers of its organisation, manage them.
    """
    merchant = await queries.find(tx, merchant_id)
    if merchant is None:
        return None
    manages = await keeps(tx, caller, merchant)
    return Access(merchant.org_id, reads=True, attaches=manages, manages=manages, is_public=True)


ATTACHABLE = Subject("merchant", access_to, most=9)

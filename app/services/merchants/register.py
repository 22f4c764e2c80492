"""The register of merchants: applications, visits (走访), states and profiles.

An administrator who did not apply, and does not work there, decides about a merchant; it is
approved after a visit. A suspended one neither charges nor collects.
"""

from collections.abc import Sequence
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.language import CLOSED_ACCOUNT
from app.core.paging import Page, PageParams, by_id
from app.models.merchants import Merchant, MerchantState, MerchantVisit
from app.models.people import Role
from app.queries import merchants as queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.merchants import (
    MerchantChangedOut,
    MerchantDecisionIn,
    MerchantIn,
    MerchantOut,
    MerchantStatusIn,
    ProfileIn,
    VisitIn,
    VisitOut,
)
from app.services import audit, notify, orgs, people, records, roles
from app.services.merchants import access
from app.services.merchants.access import MerchantNotFound, MerchantWrongState

MOVES = {
    MerchantState.applied: {MerchantState.active, MerchantState.declined},
    MerchantState.declined: {MerchantState.active},
    MerchantState.active: {MerchantState.suspended},
    MerchantState.suspended: {MerchantState.active},
}
UNDECIDED = (MerchantState.applied, MerchantState.declined)
DECIDED = (MerchantState.active, MerchantState.suspended)
MAX_APPLICATIONS = 3  # undecided ones of a person


class TooManyApplications(Refusal):
    code, status, title = "merchants.too_many_applications", 409, "Too many applications"
    zh, en = "您待审核的商户申请已达上限", "Too many of your applications are undecided."
    fact_names = ("limit", "used")


class OwnMerchant(Refusal):
    code, status, title = "merchants.own", 403, "Own merchant"
    zh, en = "须由申请人和店员以外的管理员决定", "Neither its applicant nor its staff may decide."


class NotVisited(Refusal):
    code, status, title = "merchants.not_visited", 409, "Not visited"
    zh, en = "须先走访并登记后才能通过", "A visit must be recorded before it is approved."


async def apply(tx: Session, caller: UUID, body: MerchantIn) -> MerchantOut:
    """File an application. Raises OrgNotFound, OrgClosed, TooManyApplications."""
    org = await orgs.get_open(tx, body.org_id)
    is_organizer = await people.holds(tx, caller, people.ORGANIZERS, org.path)
    used = await queries.count_applications(tx, caller)
    if used >= MAX_APPLICATIONS and not is_organizer:
        raise TooManyApplications(limit=MAX_APPLICATIONS, used=used)
    merchant = Merchant(id=new_id(), applied_by=caller, **body.model_dump())
    await queries.save(tx, merchant)
    await audit.write(tx, caller, "created", merchant)
    roles_asked = (Role.administrator,)
    await notify.send_to_deciders(
        tx, "merchants_waiting", org.id, but=[caller], roles=roles_asked, at_least=1
    )
    return await _shown(tx, merchant)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, state: MerchantState | None, asked: PageParams
) -> Page[MerchantOut]:
    """Return the merchants of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    org = await records.authorized(tx, caller, people.READERS, org_id)
    return await by_id(
        asked,
        lambda before, limit: queries.browse(tx, org.path, state, before, limit),
        MerchantOut.model_validate,
    )


async def mine(tx: Session, caller: UUID, asked: PageParams) -> Page[MerchantOut]:
    """Return the merchants that a person works at or applied for, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.of_person(tx, caller, before, limit),
        MerchantOut.model_validate,
    )


async def show(tx: Session, caller: UUID | None, merchant_id: UUID) -> MerchantOut:
    """Return a merchant; an application only to its applicant and its reviewers.

    Raises MerchantNotFound.
    """
    merchant = await access.get(tx, merchant_id)
    is_public = merchant.state in (MerchantState.active, MerchantState.suspended)
    if not is_public and (caller is None or caller != merchant.applied_by):
        org = await orgs.get(tx, merchant.org_id)
        if not await people.holds(tx, caller, people.READERS, org.path):
            raise MerchantNotFound
    return MerchantOut.model_validate(merchant)


async def edit(
    tx: Session, caller: UUID, merchant_id: UUID, version: int, body: ProfileIn
) -> MerchantChangedOut:
    """Replace the profile of a merchant, and its name if one is given.

    Raises MerchantNotFound, PreconditionFailed.
    """
    merchant = await access.kept(tx, caller, merchant_id)
    values = body.model_dump(exclude={"name"} if body.name is None else None)
    changes = await records.edit(tx, caller, merchant, version, values)
    return MerchantChangedOut(merchant=MerchantOut.model_validate(merchant), changes=changes)


async def visit(tx: Session, caller: UUID, merchant_id: UUID, body: VisitIn) -> VisitOut:
    """Record a visit. Raises MerchantNotFound, OrgClosed."""
    merchant = await access.managed(tx, caller, merchant_id)
    await orgs.get_open(tx, merchant.org_id)
    made = MerchantVisit(
        org_id=merchant.org_id, created_by=caller, merchant_id=merchant.id, **body.model_dump()
    )
    await records.create(tx, caller, made, **audit.about("merchant", merchant.id))
    return VisitOut.model_validate(made)


async def visits(tx: Session, caller: UUID, merchant_id: UUID, asked: PageParams) -> Page[VisitOut]:
    """Return the visits to a merchant, newest first. Raises MerchantNotFound."""
    merchant = await access.read_above(tx, caller, merchant_id)
    query = record_queries.where(MerchantVisit, merchant_id=merchant.id)
    return await records.page(tx, query, MerchantVisit, VisitOut, asked)


async def decide(
    tx: Session, caller: UUID, merchant_id: UUID, body: MerchantDecisionIn
) -> MerchantOut:
    """Approve or decline an application. A resident who applied becomes the first staff.

    Raises MerchantNotFound, OwnMerchant, OrgClosed, NotVisited, MerchantWrongState.
    """
    to = MerchantState.active if body.approved else MerchantState.declined
    return await _move(tx, caller, merchant_id, UNDECIDED, to, body.reason)


async def set_status(
    tx: Session, caller: UUID, merchant_id: UUID, body: MerchantStatusIn
) -> MerchantOut:
    """Suspend or resume a merchant. Raises as ``decide``, but not NotVisited."""
    return await _move(tx, caller, merchant_id, DECIDED, body.status, body.reason)


async def _move(
    tx: Session,
    caller: UUID,
    merchant_id: UUID,
    between: Sequence[str],
    to: MerchantState,
    reason: str,
) -> MerchantOut:
    """Move a merchant that is in one of the states ``between``.

    A closed organisation has no active merchant; declining and suspending stay possible there.
    """
    merchant = await queries.lock(tx, merchant_id)
    if merchant is None:
        raise MerchantNotFound
    org = await orgs.get(tx, merchant.org_id)
    if not await people.holds(tx, caller, [Role.administrator], org.path):
        raise MerchantNotFound
    works_there = await people_queries.is_staff_of(tx, caller, merchant.id)
    if works_there or await people.is_any_of(tx, caller, merchant.applied_by):
        raise OwnMerchant
    before, is_active = merchant.state, to == MerchantState.active
    if before not in between:
        raise MerchantWrongState(status=before)
    if is_active:
        await orgs.get_open(tx, org.id)
    is_new = is_active and before in UNDECIDED
    if is_new and await _has_gone(tx, merchant.applied_by):
        raise MerchantWrongState(status=before)
    if is_new and not await queries.was_visited(tx, merchant.id):
        raise NotVisited
    await records.move(tx, caller, merchant, to, MOVES, MerchantWrongState, reason=reason)
    applicant = merchant.applied_by
    organizes = await people.holds(tx, applicant, people.ORGANIZERS, org.path)
    if is_new and applicant is not None and not organizes:
        await roles.appoint_staff(tx, caller, applicant, merchant.id)
    told = {person for person, _, _ in await queries.staff(tx, merchant.id)}
    told |= {applicant} if applicant is not None else set()
    facts = {"merchant": merchant.name, "active": is_active, "reason": reason}
    await notify.send(tx, told, "merchant_moved", ("merchant", merchant.id), **facts)
    return MerchantOut.model_validate(merchant)


async def _has_gone(tx: Session, applicant: UUID | None) -> bool:
    """Return whether an applicant's account is erased: nobody could run the merchant."""
    return applicant is not None and not await people_queries.existing(tx, [applicant])


async def erase(tx: Session, erased: Sequence[UUID]) -> None:
    """Decline and empty the applications of erased people, which show their names and telephones.

    A merchant in business stays. Its telephone goes if the applicant is erased and nobody is left
    on its staff: it may be the applicant's own. Repeatable.
    """
    for merchant in await queries.lock_applied_by(tx, erased):
        is_undecided = merchant.state == MerchantState.applied
        if merchant.state in (MerchantState.applied, MerchantState.declined):
            merchant.name = CLOSED_ACCOUNT.zh
            merchant.description = merchant.hours = merchant.phone = None
        elif not await queries.staff(tx, merchant.id):
            merchant.phone = None
        if is_undecided:
            declined = MerchantState.declined
            await records.move(tx, None, merchant, declined, MOVES, MerchantWrongState)
        elif fields := record_queries.changed(merchant):
            await queries.save(tx, merchant)
            await audit.write(tx, None, "changed", merchant, fields=fields)


ERASES = erase


async def _shown(tx: Session, merchant: Merchant) -> MerchantOut:
    return await show(tx, merchant.applied_by, merchant.id)

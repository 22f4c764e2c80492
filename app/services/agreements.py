"""Agreements: an organizer proposes one, the merchant's staff accepts it, either side ends it."""

from datetime import date
from uuid import UUID

from app.core.clock import local_date, month_start, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.agreements import Agreement, AgreementState
from app.models.merchants import Merchant, MerchantState
from app.queries import agreements as queries
from app.queries import merchants as merchant_queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import settlements as settlement_queries
from app.schemas.agreements import AgreementIn, AgreementMoveIn, AgreementOut
from app.services import notify, orgs, people, records
from app.services.merchants import access as merchants
from app.services.merchants.access import MerchantNotFound, Staff
from app.services.policies import history

State = AgreementState
MOVES = {
    State.proposed: {State.active, State.declined, State.withdrawn},
    State.active: {State.ended},
}
IN_BUSINESS = (MerchantState.active, MerchantState.suspended)


class AgreementNotFound(Refusal):
    code, status, title = "agreements.not_found", 404, "No such agreement"
    zh, en = "结算协议不存在", "There is no such agreement."


class AgreementWrongState(records.WrongState):
    code = "agreements.wrong_state"


class OwnAgreement(Refusal):
    """One side proposes, the other answers; nobody does both."""

    code, status, title = "agreements.own", 403, "Own agreement"
    zh, en = (
        "须由组织提出、商户方接受，不能同时代表双方",
        "The organisation proposes and the merchant answers: nobody acts for both.",
    )


class AgreementsOverlap(Refusal):
    """``since`` and ``until``: of the agreement that is in force on some of the days."""

    code, status, title = "agreements.overlap", 409, "Another agreement is in force"
    zh, en = "同期已有生效的协议，请先终止", "Another one is in force then; end it first."
    fact_names = ("since", "until")


async def propose(tx: Session, caller: UUID, body: AgreementIn) -> AgreementOut:
    """Propose an agreement to a merchant, of whichever organisation it is.

    Raises OrgNotFound, Forbidden, OrgClosed, MerchantNotFound, OwnAgreement, Invalid.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    merchant = await merchants.get(tx, body.merchant_id)
    if merchant.state not in IN_BUSINESS:
        raise MerchantNotFound
    if await works_at(tx, caller, merchant.id):
        raise OwnAgreement
    await _require_open_months(tx, merchant.id, org.id, body.since, "body.since")
    made = Agreement(created_by=caller, **body.model_dump())
    await records.create(tx, caller, made)
    told = {person for person, _, _ in await merchant_queries.staff(tx, merchant.id)}
    facts = {"org": org.name, "merchant": merchant.name, "since": made.since}
    await notify.send(tx, told, "agreement_proposed", ("agreement", made.id), **facts)
    return AgreementOut.model_validate(made)


async def move(
    tx: Session, caller: UUID, agreement_id: UUID, body: AgreementMoveIn
) -> AgreementOut:
    """Accept or decline (the merchant), withdraw (the organisation) or end (either).

    Raises AgreementNotFound, OwnAgreement, Invalid, AgreementsOverlap, AgreementWrongState.
    """
    found = await record_queries.find(tx, Agreement, agreement_id)
    if found is None:
        raise AgreementNotFound
    merchant = await merchant_queries.lock(tx, found.merchant_id)  # one answer at a time
    agreement = await record_queries.lock(tx, Agreement, agreement_id)
    assert merchant is not None, "a foreign key"
    assert agreement is not None, "it is never deleted"
    await tx.refresh(agreement)
    org = await orgs.get(tx, agreement.org_id)
    organizes = await people.holds(tx, caller, people.ORGANIZERS, org.path)
    works = await works_at(tx, caller, merchant.id)
    if not organizes and not works:
        raise AgreementNotFound
    if body.state in (State.active, State.declined) and (organizes or not works):
        raise OwnAgreement
    if body.state == State.withdrawn and works:
        raise OwnAgreement
    is_ending = body.state == State.ended and agreement.state == State.active
    if body.state != State.ended and body.until is not None:
        raise invalid("body.until", "只有终止时填写", "goes with `ended` alone")
    if is_ending:
        _set_end(agreement, body.until)
    if body.state == State.active and agreement.state == State.proposed:
        await _require_free(tx, agreement)
    await records.move(
        tx, caller, agreement, body.state, MOVES, AgreementWrongState, reason=body.reason
    )
    await _tell(tx, caller, merchant, agreement, org.name, body.reason)
    return AgreementOut.model_validate(agreement)


async def works_at(tx: Session, person_id: UUID, merchant_id: UUID) -> bool:
    """Return whether a person is on a merchant's staff, by any account of theirs."""
    for account in await people_queries.family(tx, person_id):
        if await people_queries.is_staff_of(tx, account, merchant_id):
            return True
    return False


async def get(tx: Session, caller: UUID, agreement_id: UUID) -> AgreementOut:
    """Return an agreement to either side and to auditors. Raises AgreementNotFound."""
    found = await record_queries.find(tx, Agreement, agreement_id)
    if found is None:
        raise AgreementNotFound
    org = await orgs.get(tx, found.org_id)
    if not await people.holds(tx, caller, people.READERS, org.path) and not (
        await people_queries.is_staff_of(tx, caller, found.merchant_id)
    ):
        raise AgreementNotFound
    return AgreementOut.model_validate(found)


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    merchant_id: UUID | None,
    state: AgreementState | None,
    asked: PageParams,
) -> Page[AgreementOut]:
    """Return the agreements of a subtree, newest first. Raises OrgNotFound, Forbidden."""
    return await records.browse(
        tx,
        caller,
        people.READERS,
        org_id,
        Agreement,
        AgreementOut,
        asked,
        merchant_id=merchant_id,
        state=state,
    )


async def of_staff(tx: Session, staff: Staff, asked: PageParams) -> Page[AgreementOut]:
    """Return the agreements of the merchant of its staff. Raises Forbidden, MerchantNotYours."""
    merchant = await merchants.of_staff(tx, staff)
    query = record_queries.where(Agreement, merchant_id=merchant.id)
    return await records.page(tx, query, Agreement, AgreementOut, asked)


def _set_end(agreement: Agreement, until: date | None) -> None:
    """Set the last day. Raises Invalid."""
    first = max(local_date(now()), agreement.since)
    if until is None or not first <= until <= (agreement.until or date(2099, 12, 31)):
        raise invalid(
            "body.until",
            "终止日须填写，不早于今天，也不晚于原截止日",
            "the last day is today or later, and not after the one agreed",
        )
    agreement.until = until


async def _require_free(tx: Session, agreement: Agreement) -> None:
    """Raise AgreementsOverlap or Invalid unless the agreement can begin."""
    others = await queries.between(
        tx, agreement.merchant_id, agreement.org_id, agreement.since, agreement.until
    )
    if others:
        until = others[0].until
        raise AgreementsOverlap(
            since=f"{others[0].since}", until=f"{until}" if until is not None else None
        )
    await _require_open_months(
        tx, agreement.merchant_id, agreement.org_id, agreement.since, "body.state"
    )


async def _require_open_months(
    tx: Session, merchant_id: UUID, org_id: UUID, since: date, field: str
) -> None:
    """Raise Invalid for a day before last month, or of a month that is settled."""
    today = local_date(now())
    earliest = local_date(month_start(today.year, today.month, plus=-1))
    policy = await history.in_force(tx, (await orgs.get(tx, org_id)).path)
    last = await settlement_queries.last(tx, merchant_id, org_id, policy.unit_id)
    if last is not None:
        after = local_date(month_start(last.month.year, last.month.month, plus=1))
        earliest = max(earliest, after)
    if since < earliest:
        raise invalid(field, f"起始日不能早于 {earliest}", f"the first day is {earliest} or later")


async def _tell(
    tx: Session, caller: UUID, merchant: Merchant, agreement: Agreement, org: str, reason: str
) -> None:
    """Notify the merchant's staff and the organizer who proposed it, but not the caller."""
    told = {person for person, _, _ in await merchant_queries.staff(tx, merchant.id)}
    told = (told | {agreement.created_by}) - {caller}
    await notify.send(
        tx,
        told,
        "agreement_moved",
        ("agreement", agreement.id),
        org=org,
        merchant=merchant.name,
        in_force=agreement.state == State.active,
        reason=reason,
    )

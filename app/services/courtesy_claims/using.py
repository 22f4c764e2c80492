"""Claims are used at a merchant's counter, or at the venue of the organisation."""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.cards import CodePurpose
from app.models.courtesies import Courtesy, CourtesyState
from app.models.courtesy_claims import CourtesyClaim, CourtesyClaimState
from app.models.merchants import Merchant
from app.queries import cards as card_queries
from app.queries import courtesy_claims as queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries.cards import CodeRow
from app.schemas.courtesy_claims import CounterClaimOut, CounterClaimsOut, CourtesyClaimOut
from app.services import audit, code_locks, notify, orgs, people
from app.services.courtesies.reading import CourtesyNotFound
from app.services.courtesy_claims import reading
from app.services.courtesy_claims.reading import CourtesyClaimNotFound, CourtesyClaimWrongState
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.redemptions import card_codes


class OwnCourtesy(Refusal):
    code, status, title = "courtesy_claims.own", 403, "Own courtesy"
    zh, en = "不能为本人办理礼遇", "Nobody records the use of a courtesy of their own."


async def preview(tx: Session, staff: Staff, card_code: str) -> CounterClaimsOut:
    """Tell what the holder of a card can use here, without using the code up.

    Raises Forbidden, MerchantNotYours, MerchantSuspended, CodesLocked, CardCodeInvalid,
    CardCodeUsed, CardSuspended, OwnCourtesy.
    """
    merchant, code = await _at_counter(tx, staff, card_code)
    family = await people_queries.family(tx, code.person_id)
    rows = await queries.usable(tx, family, merchant.id, now())
    names = await people_queries.names(tx, [code.person_id])
    return CounterClaimsOut(
        display_name=people.masked(names[code.person_id].display_name),
        items=await reading.to_counter(tx, rows),
        expires_at=code.expires_at,
    )


async def use_at_merchant(
    tx: Session, staff: Staff, courtesy_claim_id: UUID, card_code: str
) -> CounterClaimOut:
    """Use a claim of the holder of a card at the caller's merchant. The code is used up.

    Raises as ``preview``; CourtesyClaimNotFound (also of others, or not used here), and
    CourtesyClaimWrongState.
    """
    merchant, code = await _at_counter(tx, staff, card_code)
    family = await people_queries.family(tx, code.person_id)
    found = await queries.lock_at(tx, courtesy_claim_id, family, merchant.id)
    if found is None:
        raise CourtesyClaimNotFound
    await _use(tx, staff.person_id, found, code, merchant.id, merchant.name)
    [shown] = await reading.to_counter(tx, [found])
    return shown


async def use_at_venue(
    tx: Session, caller: UUID, courtesy_id: UUID, card_code: str
) -> CourtesyClaimOut:
    """Use the oldest claim of a courtesy that the holder of a card has, at its venue.

    Raises CourtesyNotFound, CardCodeInvalid, CardCodeUsed, CardSuspended, OwnCourtesy, and
    CourtesyClaimNotFound (also of a courtesy without venue).
    """
    courtesy = await _organized(tx, caller, courtesy_id)
    code = await _shown(tx, caller, card_code, caller)
    if courtesy.venue is None:
        raise CourtesyClaimNotFound
    family = await people_queries.family(tx, code.person_id)
    found = await queries.lock_oldest(tx, family, courtesy.id, now())
    if found is None:
        raise CourtesyClaimNotFound
    await _use(tx, caller, found, code, None, courtesy.venue)
    return await reading.to_org(tx, found)


async def _organized(tx: Session, caller: UUID, courtesy_id: UUID) -> Courtesy:
    found = await record_queries.find(tx, Courtesy, courtesy_id)
    if found is None or found.state == CourtesyState.draft:
        raise CourtesyNotFound
    path = (await orgs.get(tx, found.org_id)).path
    if not await people.holds(tx, caller, people.ORGANIZERS, path):
        raise CourtesyNotFound
    return found


async def _at_counter(tx: Session, staff: Staff, card_code: str) -> tuple[Merchant, CodeRow]:
    """Return the caller's merchant, and the code that is shown there."""
    merchant = await merchants.of_staff(tx, staff, sells=True)
    await code_locks.require_open(tx, merchant.id)
    return merchant, await _shown(tx, staff.person_id, card_code, merchant.id)


async def _shown(tx: Session, server: UUID, card_code: str, by: UUID) -> CodeRow:
    """Lock and return a code that is shown to ``server``. ``by``: the merchant, or the person."""
    rows = await card_queries.lock_codes(tx, [card_code])
    row = rows.get(card_code)
    code = card_codes.require_usable(row, now(), CodePurpose.courtesy, by)
    await people.require_no_part(tx, server, {code.person_id: OwnCourtesy})
    return code


async def _use(
    tx: Session,
    server: UUID,
    found: CourtesyClaim,
    code: CodeRow,
    merchant_id: UUID | None,
    place: str,
) -> None:
    """Use a locked claim and the code that was shown; tell the person where."""
    at = now()
    state = reading.state_at(found, at)
    if state != CourtesyClaimState.claimed:
        raise CourtesyClaimWrongState(status=state)
    await _mark(tx, found, server, merchant_id, at)
    await card_queries.use_codes(tx, [code.id], at, [merchant_id or server])
    facts = audit.about("courtesy", found.courtesy_id)
    before, after = CourtesyClaimState.claimed, CourtesyClaimState.used
    await audit.write(tx, server, "used", found, before=before, after=after, facts=facts)
    courtesy = await record_queries.find(tx, Courtesy, found.courtesy_id)
    assert courtesy is not None
    subject, said = ("courtesy_claim", found.id), {"title": courtesy.name, "place": place}
    await notify.send(tx, code.person_id, "courtesy_used", subject, **said)


async def _mark(
    tx: Session, found: CourtesyClaim, server: UUID, merchant_id: UUID | None, at: datetime
) -> None:
    found.state = CourtesyClaimState.used
    found.used_at, found.used_by, found.merchant_id = at, server, merchant_id
    await record_queries.save(tx, found)

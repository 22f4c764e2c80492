"""Awards: read by their owners and reviewers; by hand, their review, their public notice (公示)."""

from asyncio import to_thread
from io import BytesIO
from typing import Annotated

from fastapi import Depends, Form, Query, Request, Response, UploadFile

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, READER, RESIDENT, allow
from app.api.context import runtime_of
from app.api.deps import (
    CurrentPerson,
    PageQuery,
    Reader,
    Tx,
    UnitQuery,
)
from app.api.downloads import Workbook
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.xlsx import reader, writer
from app.core.xlsx.guard import SheetNotPlain, SheetTooLarge, SheetUnreadable
from app.core.xlsx.reader import Sheet
from app.models.awards import AwardState
from app.schemas.awards import (
    MAX_PEOPLE,
    AwardCaseOut,
    AwardNoticeOut,
    AwardOut,
    AwardsIn,
    AwardsOut,
    BatchIn,
    BatchOut,
    DecisionIn,
    MyAwardOut,
    ObjectionIn,
    ObjectionOut,
    RejectionIn,
    RuleKey,
)
from app.schemas.base import Id, Nothing
from app.services.awards import batches, proposals, public_notice, reading, review, sheets
from app.services.awards.batches import RowsWrong
from app.services.awards.proposals import NumberUsed
from app.services.awards.public_notice import (
    NotInNotice,
    ObjectedBefore,
    ObjectionDecided,
    ObjectionNotFound,
    OwnObjection,
)
from app.services.awards.review import (
    AwardNotFound,
    AwardNotPending,
    OwnAward,
    OwnProposal,
    ReviewedBefore,
)
from app.services.awards.sheets import WrongSheet
from app.services.ledger import units
from app.services.ledger.units import UnitUnknown
from app.services.orgs import OrgNotFound
from app.services.people import PersonNotFound

router = Router(tags=["awards"])
MAX_BATCH_BYTES = reader.MAX_FILE_BYTES + 16 * 1024  # and what surrounds a file in a form
REVIEW = (AwardNotFound, OwnProposal, OwnAward, AwardNotPending, ReviewedBefore)


@router.post(
    "/awards",
    status_code=201,
    operation_id="proposeAwards",
    **allow(ORGANIZER, OrgNotFound, PersonNotFound, NumberUsed, body=True, once=True),
)
@leads_to("approveAward", {"award_id": "items/0/award/id"})
async def propose_awards(
    body: AwardsIn,
    tx: Tx,
    person_id: CurrentPerson,
) -> AwardsOut:
    """Award up to 500 people by hand: pending until others approve."""
    return await proposals.propose(tx, person_id, body)


@router.get("/me/awards", operation_id="listMyAwards", **allow(RESIDENT, UnitUnknown))
async def list_my_awards(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    unit: UnitQuery = "points",
) -> Page[MyAwardOut]:
    """Return the caller's awards and what became of them, newest first."""
    unit_id = await units.unit_of(tx, unit)
    return await reading.mine(tx, person_id, unit_id, page)


exports.beside(router, list_my_awards, Bilingual("我的积分记录", "My awards"))


@router.get("/awards", operation_id="listAwards", **allow(READER, OrgNotFound))
async def list_awards(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query()],
    state: AwardState | None = None,
) -> Page[AwardCaseOut]:
    """Return the awards of an organisation and everything below it, newest first."""
    return await reading.browse(tx, person_id, org_id, state, page)


exports.beside(router, list_awards, Bilingual("积分记录", "Awards"))


@router.post(
    "/awards/batches",
    status_code=201,
    operation_id="proposeAwardBatch",
    max_body_size=MAX_BATCH_BYTES,
    **allow(ORGANIZER, OrgNotFound, RowsWrong, body=True, once=True),
)
async def propose_award_batch(body: BatchIn, tx: Tx, person_id: CurrentPerson) -> BatchOut:
    """Award up to 500 people row by row: all, or with ``partial`` those without a mistake."""
    return await batches.propose_batch(tx, person_id, body)


async def _uploaded(request: Request, file: UploadFile) -> Sheet:
    async with runtime_of(request).sheets:
        await file.seek(0)  # an attempt that met a deadlock may have read it
        return await to_thread(reader.read, await file.read(), MAX_PEOPLE)


# Read before the transaction begins: a second of parsing holds no connection.
UploadedSheet = Annotated[Sheet, Depends(_uploaded)]


@router.post(
    "/awards/batches/sheet",
    status_code=201,
    operation_id="proposeAwardSheet",
    max_body_size=MAX_BATCH_BYTES,
    **allow(
        ORGANIZER,
        OrgNotFound,
        RowsWrong,
        WrongSheet,
        SheetUnreadable,
        SheetTooLarge,
        SheetNotPlain,
        body=True,
        once=True,
    ),
)
async def propose_award_sheet(
    sheet: UploadedSheet,
    org_id: Annotated[Id, Form()],
    rule_key: Annotated[RuleKey, Form()],
    tx: Tx,
    person_id: CurrentPerson,
    partial: Annotated[bool, Form()] = False,
) -> BatchOut:
    """Award up to 500 people by an XLSX: the template's columns, told by the sheet's rows."""
    return await sheets.propose_sheet(
        tx,
        person_id,
        sheet,
        org_id=org_id,
        rule_key=rule_key,
        partial=partial,
    )


@router.get(
    "/awards/batches/template",
    operation_id="getAwardSheetTemplate",
    response_class=Workbook,
    **allow(ORGANIZER, OrgNotFound),
)
async def get_award_sheet_template(
    tx: Reader, person_id: CurrentPerson, org_id: Id, rule_key: RuleKey
) -> Response:
    """Return an empty XLSX with the columns that a rule asks for."""
    rule, headings = await sheets.template(tx, person_id, org_id, rule_key)
    return Workbook(BytesIO(writer.blank(rule.name, headings)), rule.name, rule.key)


@router.post(
    "/awards/{award_id}/approval",
    operation_id="approveAward",
    **allow(ORGANIZER, *REVIEW, body=True, once=True),
)
async def approve_award(
    award_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> AwardOut:
    """Approve a pending award; never one's own proposal, nor one for oneself."""
    return await review.approve(tx, person_id, award_id)


@router.post(
    "/awards/{award_id}/rejection",
    operation_id="rejectAward",
    **allow(ORGANIZER, *REVIEW, body=True, once=True),
)
async def reject_award(
    award_id: PathId,
    body: RejectionIn,
    tx: Tx,
    person_id: CurrentPerson,
) -> AwardOut:
    """Reject an award that waits: its points go back to the fund."""
    return await review.reject(tx, person_id, award_id, body)


@router.get("/awards/notices", operation_id="listAwardNotices", **allow(ANYONE, OrgNotFound))
async def list_award_notices(
    tx: Reader,
    page: PageQuery,
    org_id: Annotated[Id | None, Query()] = None,
) -> Page[AwardNoticeOut]:
    """Return the awards in public notice, soonest to end first."""
    return await public_notice.in_notice(tx, org_id, page)


@router.post(
    "/awards/{award_id}/objections",
    status_code=201,
    operation_id="objectToAward",
    **allow(RESIDENT, AwardNotFound, NotInNotice, ObjectedBefore, body=True, once=True),
)
async def object_to_award(
    award_id: PathId, body: ObjectionIn, tx: Tx, person_id: CurrentPerson
) -> ObjectionOut:
    """Object to an award in public notice: it is not paid until somebody decides."""
    return await public_notice.object_to(tx, person_id, award_id, body)


@router.post(
    "/awards/objections/{objection_id}/decision",
    operation_id="decideObjection",
    **allow(
        ORGANIZER,
        ObjectionNotFound,
        OwnProposal,
        OwnAward,
        OwnObjection,
        ObjectionDecided,
        body=True,
        once=True,
    ),
)
async def decide_objection(
    objection_id: PathId,
    body: DecisionIn,
    tx: Tx,
    person_id: CurrentPerson,
) -> AwardOut:
    """Decide an objection. Upheld, the award is rejected; else its notice goes on."""
    return await public_notice.decide(tx, person_id, objection_id, body)

"""Awards: reading, manual proposals, review, and public notice (公示)."""

from asyncio import to_thread
from io import BytesIO
from typing import Annotated

from fastapi import Depends, File, Form, Query, Request, Response, UploadFile

from app.api import exports
from app.api.access import ANYONE, ORGANIZER, READER, RESIDENT, allow
from app.api.context import runtime_of
from app.api.deps import CurrentPerson, OrgFilter, PageQuery, Reader, StaleReader, Tx, UnitQuery
from app.api.downloads import Workbook
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.xlsx import reader, writer
from app.core.xlsx.guard import SheetNotPlain, SheetTooLarge, SheetUnreadable
from app.core.xlsx.reader import Sheet
from app.models.awards import AwardState
from app.schemas.awards.batches import BatchIn, BatchOut
from app.schemas.awards.proposals import MAX_PEOPLE, AwardsIn, AwardsOut, RuleKey
from app.schemas.awards.reading import (
    AwardCaseOut,
    AwardListOut,
    AwardNoticeOut,
    AwardOut,
    MyAwardOut,
    ObjectionOut,
)
from app.schemas.awards.review import (
    AwardEvidenceIn,
    DecisionIn,
    ObjectionIn,
    RejectionIn,
)
from app.schemas.base import Id, Nothing, OrgId
from app.services.awards import (
    attended,
    batches,
    proposals,
    public_notice,
    reading,
    review,
    sheets,
)
from app.services.ledger import units
from app.services.ledger.units import UnitUnknown
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import PersonMerged, PersonNotFound

ABOUT = Bilingual(
    "积分记录：申报、审核、公示与异议", "Awards: proposals, reviews, public notice and objections"
)
router = Router(tags=["awards"], about=ABOUT)
MAX_BATCH_BYTES = reader.MAX_FILE_BYTES + 16 * 1024  # the sheet and the other parts of the form
# What each verb may refuse.
PROPOSE = (OrgNotFound, OrgClosed, proposals.TooManyProposals)
SHEET = (batches.RowsWrong, sheets.WrongSheet, SheetUnreadable, SheetTooLarge, SheetNotPlain)
REVIEWED = (review.OwnAward, review.AwardNotPending)
REVIEW = (review.AwardNotFound, review.OwnProposal, *REVIEWED, review.ReviewedBefore)
APPROVE = (*REVIEW, review.EvidenceMissing)
EVIDENCE = (review.AwardNotFound, *REVIEWED, attended.EvidenceThere, proposals.NumberUsed)
OBJECT = (
    review.AwardNotFound,
    public_notice.NotInNotice,
    public_notice.ObjectedBefore,
    public_notice.TooManyObjections,
    public_notice.TooManyObjectionsToday,
)
DECIDE = (
    public_notice.ObjectionNotFound,
    review.OwnProposal,
    review.OwnAward,
    public_notice.OwnObjection,
    public_notice.OwnReview,
    public_notice.ObjectionDecided,
)


@router.post(
    "/awards",
    status_code=201,
    operation_id="proposeAwards",
    **allow(
        ORGANIZER,
        *PROPOSE,
        PersonNotFound,
        PersonMerged,
        proposals.NumberUsed,
        body=True,
        once=True,
    ),
)
@leads_to("approveAward", {"award_id": "items/0/award/id"})
async def propose_awards(
    body: AwardsIn, tx: Tx, person_id: CurrentPerson, guesses: CardGuesses
) -> AwardsOut:
    """Propose awards for up to 500 people; pending until approved by others."""
    return await proposals.propose(tx, person_id, body, guesses)


@router.get("/me/awards", operation_id="listMyAwards", **allow(RESIDENT, UnitUnknown))
async def list_my_awards(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    unit: UnitQuery = "points",
) -> Page[MyAwardOut]:
    """Return the caller's awards and their present state, newest first."""
    unit_id = await units.unit_of(tx, unit)
    return await reading.mine(tx, person_id, unit_id, page)


exports.beside(router, list_my_awards, Bilingual("我的积分记录", "My awards"))


@router.get("/awards", operation_id="listAwards", **allow(READER, OrgNotFound))
async def list_awards(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    state: Annotated[AwardState | None, Query(description="Only in this state.")] = None,
) -> Page[AwardCaseOut]:
    """Return the awards of an organisation and its subtree, newest first."""
    return await reading.browse(tx, person_id, org_id, state, page)


exports.beside(router, list_awards, Bilingual("积分记录", "Awards"))


@router.post(
    "/awards/batches",
    status_code=201,
    operation_id="proposeAwardBatch",
    max_body_size=MAX_BATCH_BYTES,
    **allow(ORGANIZER, *PROPOSE, batches.RowsWrong, body=True, once=True),
)
async def propose_award_batch(
    body: BatchIn, tx: Tx, person_id: CurrentPerson, guesses: CardGuesses
) -> BatchOut:
    """Propose up to 500 awards, one per row: all or none, or with ``partial`` the valid rows."""
    return await batches.propose_batch(tx, person_id, body, guesses)


SheetFile = Annotated[
    UploadFile, File(description="XLSX with the columns of `getAwardSheetTemplate`.")
]


async def _uploaded(request: Request, file: SheetFile) -> Sheet:
    runtime = runtime_of(request)
    await request.state.once.replay(runtime.database)
    async with runtime.sheets:
        await file.seek(0)  # a retry after a deadlock has read it before
        return await to_thread(reader.read, await file.read(), MAX_PEOPLE)


# Read before the transaction begins: parsing takes a second and must not hold a connection.
UploadedSheet = Annotated[Sheet, Depends(_uploaded)]


@router.post(
    "/awards/batches/sheet",
    status_code=201,
    operation_id="proposeAwardSheet",
    max_body_size=MAX_BATCH_BYTES,
    **allow(ORGANIZER, *PROPOSE, *SHEET, body=True, once=True),
)
async def propose_award_sheet(
    sheet: UploadedSheet,
    org_id: Annotated[
        Id,
        Form(
            description="Id of the organisation that proposes it.",
            examples=["01900000-0000-7000-8000-000321182001"],
        ),
    ],
    rule_key: Annotated[RuleKey, Form()],
    tx: Tx,
    person_id: CurrentPerson,
    guesses: CardGuesses,
    partial: Annotated[
        bool, Form(description="True: propose the rows without a mistake; false: all or none.")
    ] = False,
) -> BatchOut:
    """Propose up to 500 awards by an XLSX with the template's columns; results name sheet rows."""
    return await sheets.propose_sheet(
        tx, person_id, sheet, guesses, org_id=org_id, rule_key=rule_key, partial=partial
    )


@router.get(
    "/awards/batches/template",
    operation_id="getAwardSheetTemplate",
    response_class=Workbook,
    **allow(ORGANIZER, OrgNotFound),
)
async def get_award_sheet_template(
    tx: Reader, person_id: CurrentPerson, org_id: OrgId, rule_key: RuleKey
) -> Response:
    """Return an empty XLSX with the columns that a rule requires."""
    rule, headings = await sheets.template(tx, person_id, org_id, rule_key)
    return Workbook(BytesIO(writer.blank(rule.name, headings)), rule.name, rule.key)


@router.post(
    "/awards/{award_id}/approval",
    operation_id="approveAward",
    **allow(ORGANIZER, *APPROVE, body=True, once=True),
)
async def approve_award(
    award_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> AwardOut:
    """Approve a pending award that the caller neither proposed nor receives."""
    return await review.approve(tx, person_id, award_id)


@router.post(
    "/awards/evidence",
    operation_id="addAwardEvidence",
    **allow(ORGANIZER, *EVIDENCE, body=True, once=True),
)
async def add_award_evidence(
    body: AwardEvidenceIn, tx: Tx, person_id: CurrentPerson
) -> AwardListOut:
    """Add the evidence that a rule demands to awards by attendance that wait for reviewers."""
    return await attended.add_evidence(tx, person_id, body)


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
    """Reject an award that is not paid yet: its points go back to the fund."""
    return await review.reject(tx, person_id, award_id, body)


@router.get("/awards/notices", operation_id="listAwardNotices", **allow(ANYONE, OrgNotFound))
async def list_award_notices(
    tx: StaleReader,
    page: PageQuery,
    org_id: OrgFilter = None,
) -> Page[AwardNoticeOut]:
    """Return the awards in public notice, in the order in which the notices end."""
    return await public_notice.in_notice(tx, org_id, page)


exports.beside(router, list_award_notices, Bilingual("积分公示", "Awards in public notice"))


@router.post(
    "/awards/{award_id}/objections",
    status_code=201,
    operation_id="objectToAward",
    **allow(RESIDENT, *OBJECT, body=True, once=True),
)
async def object_to_award(
    award_id: PathId, body: ObjectionIn, tx: Tx, person_id: CurrentPerson
) -> ObjectionOut:
    """Object to an award in public notice, which is not paid until the objection is decided."""
    return await public_notice.object_to(tx, person_id, award_id, body)


@router.post(
    "/awards/objections/{objection_id}/decision",
    operation_id="decideObjection",
    **allow(ORGANIZER, *DECIDE, body=True, once=True),
)
async def decide_objection(
    objection_id: PathId,
    body: DecisionIn,
    tx: Tx,
    person_id: CurrentPerson,
) -> AwardOut:
    """Decide an objection. If it is upheld, the award is rejected; else its notice continues."""
    return await public_notice.decide(tx, person_id, objection_id, body)

"""Awards by hand, their review, and the public notice (公示) of them."""

from typing import Annotated

from fastapi import Query, Response

from app.access import ANYONE, ORGANIZER, RESIDENT, allow
from app.core.ids import PathId
from app.core.routes import Router
from app.deps import CurrentPerson, CursorQuery, IdempotencyKey, LimitQuery, Reader, Tongue, Tx
from app.once import KEY_REFUSALS
from app.schemas.awards import (
    AwardNoticeOut,
    AwardOut,
    AwardsIn,
    AwardsOut,
    DecisionIn,
    ObjectionIn,
    ObjectionOut,
    RejectionIn,
)
from app.schemas.base import Id, Nothing, Page
from app.services import awards
from app.services.awards import (
    AwardNotFound,
    AwardNotPending,
    NotInNotice,
    NumberUsed,
    ObjectedBefore,
    ObjectionDecided,
    ObjectionNotFound,
    OwnAward,
    OwnObjection,
    OwnProposal,
    ReviewedBefore,
)
from app.services.orgs import OrgNotFound
from app.services.people import PersonNotFound

router = Router(tags=["awards"])
REVIEW = (AwardNotFound, OwnProposal, OwnAward, AwardNotPending, ReviewedBefore)


@router.post(
    "/awards",
    status_code=201,
    operation_id="proposeAwards",
    response_model=AwardsOut,
    **allow(ORGANIZER, OrgNotFound, PersonNotFound, NumberUsed, *KEY_REFUSALS, body=True),
)
async def propose_awards(
    body: AwardsIn, tx: Tx, person_id: CurrentPerson, language: Tongue, once: IdempotencyKey
) -> Response:
    """Award up to 500 people by hand: pending until others approve."""
    return await once.run(tx, 201, lambda: awards.propose(tx, person_id, body, language))


@router.post(
    "/awards/{award_id}/approval",
    operation_id="approveAward",
    response_model=AwardOut,
    **allow(ORGANIZER, *REVIEW, *KEY_REFUSALS, body=True),
)
async def approve_award(
    award_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    language: Tongue,
    once: IdempotencyKey,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> Response:
    """Approve a pending award; never one's own proposal, nor one for oneself."""
    return await once.run(tx, 200, lambda: awards.approve(tx, person_id, award_id, language))


@router.post(
    "/awards/{award_id}/rejection",
    operation_id="rejectAward",
    response_model=AwardOut,
    **allow(ORGANIZER, *REVIEW, *KEY_REFUSALS, body=True),
)
async def reject_award(
    award_id: PathId,
    body: RejectionIn,
    tx: Tx,
    person_id: CurrentPerson,
    language: Tongue,
    once: IdempotencyKey,
) -> Response:
    """Reject an award that waits: its points go back to the fund."""
    return await once.run(tx, 200, lambda: awards.reject(tx, person_id, award_id, body, language))


@router.get("/awards/notices", operation_id="listAwardNotices", **allow(ANYONE, OrgNotFound))
async def list_award_notices(
    tx: Reader,
    language: Tongue,
    org_id: Annotated[Id | None, Query()] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 20,
) -> Page[AwardNoticeOut]:
    """Return the awards in public notice, soonest to end first."""
    return await awards.in_notice(tx, org_id, cursor, limit, language)


@router.post(
    "/awards/{award_id}/objections",
    status_code=201,
    operation_id="objectToAward",
    response_model=ObjectionOut,
    **allow(RESIDENT, AwardNotFound, NotInNotice, ObjectedBefore, *KEY_REFUSALS, body=True),
)
async def object_to_award(
    award_id: PathId, body: ObjectionIn, tx: Tx, person_id: CurrentPerson, once: IdempotencyKey
) -> Response:
    """Object to an award in public notice: it is not paid until somebody decides."""
    return await once.run(tx, 201, lambda: awards.object_to(tx, person_id, award_id, body))


@router.post(
    "/awards/objections/{objection_id}/decision",
    operation_id="decideObjection",
    response_model=AwardOut,
    **allow(
        ORGANIZER,
        ObjectionNotFound,
        OwnProposal,
        OwnAward,
        OwnObjection,
        ObjectionDecided,
        *KEY_REFUSALS,
        body=True,
    ),
)
async def decide_objection(
    objection_id: PathId,
    body: DecisionIn,
    tx: Tx,
    person_id: CurrentPerson,
    language: Tongue,
    once: IdempotencyKey,
) -> Response:
    """Decide an objection. Upheld, the award is rejected; else its notice goes on."""
    return await once.run(
        tx, 200, lambda: awards.decide(tx, person_id, objection_id, body, language)
    )

"""Awards by hand."""

from fastapi import Response

from app.access import ORGANIZER, allow
from app.core.ids import PathId
from app.core.routes import Router
from app.deps import CurrentPerson, IdempotencyKey, Tongue, Tx
from app.once import KEY_REFUSALS
from app.schemas.awards import AwardOut, AwardsIn, AwardsOut
from app.schemas.base import Nothing
from app.services import awards
from app.services.awards import AwardNotFound, AwardNotPending, OwnProposal
from app.services.orgs import OrgNotFound
from app.services.people import PersonNotFound

router = Router(tags=["awards"])


@router.post(
    "/awards",
    status_code=201,
    operation_id="proposeAwards",
    response_model=AwardsOut,
    **allow(ORGANIZER, OrgNotFound, PersonNotFound, *KEY_REFUSALS, body=True),
)
async def propose_awards(
    body: AwardsIn, tx: Tx, person_id: CurrentPerson, language: Tongue, once: IdempotencyKey
) -> Response:
    """Award up to 500 people by hand: pending until somebody else approves."""
    return await once.run(tx, 201, lambda: awards.propose(tx, person_id, body, language))


@router.post(
    "/awards/{award_id}/approval",
    operation_id="approveAward",
    response_model=AwardOut,
    **allow(ORGANIZER, AwardNotFound, OwnProposal, AwardNotPending, *KEY_REFUSALS, body=True),
)
async def approve_award(
    award_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    language: Tongue,
    once: IdempotencyKey,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> Response:
    """Release a pending award; never one's own proposal."""
    return await once.run(tx, 200, lambda: awards.approve(tx, person_id, award_id, language))

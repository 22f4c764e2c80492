"""Points: balances, the passbook, and the correction of a mistake."""

from fastapi import Request, Response

from app.access import ADMINISTRATOR, RESIDENT, allow, person_of, runtime_of
from app.core.ids import PathId
from app.core.routes import Router, known_tag, rendered
from app.deps import CurrentPerson, CursorQuery, IdempotencyKey, LimitQuery, Reader, Tx
from app.once import KEY_REFUSALS
from app.schemas.base import Page
from app.schemas.ledger import EntryOut, PointsOut, ReversalIn, ReversalOut
from app.services import awards, ledger
from app.services.awards import NotReversible, TransferNotFound
from app.services.ledger import AlreadySettled, InsufficientPoints

router = Router(tags=["ledger"])


@router.get("/me/points", operation_id="getMyPoints", **allow(RESIDENT))
async def get_my_points(tx: Reader, person_id: CurrentPerson) -> PointsOut:
    """Return the caller's balances and what expires when."""
    return await ledger.summary(tx, person_id)


@router.get(
    "/me/points/entries",
    operation_id="listMyPointEntries",
    response_model=Page[EntryOut],
    **allow(RESIDENT),
)
async def list_my_point_entries(
    request: Request, cursor: CursorQuery = None, limit: LimitQuery = 20
) -> Response:
    """Return the passbook of available points, newest first."""
    question = ledger.page_of(person_of(request), cursor, limit, known_tag(request))
    return rendered(request, await runtime_of(request).passbooks.submit(question))


@router.post(
    "/ledger/transfers/{transfer_id}/reversal",
    status_code=201,
    operation_id="reverseTransfer",
    response_model=ReversalOut,
    **allow(
        ADMINISTRATOR,
        TransferNotFound,
        NotReversible,
        AlreadySettled,
        InsufficientPoints,
        *KEY_REFUSALS,
        body=True,
    ),
)
async def reverse_transfer(
    transfer_id: PathId, body: ReversalIn, tx: Tx, person_id: CurrentPerson, once: IdempotencyKey
) -> Response:
    """Take back what an award gave, by a transfer backwards."""
    return await once.run(tx, 201, lambda: awards.reverse(tx, person_id, transfer_id, body.reason))

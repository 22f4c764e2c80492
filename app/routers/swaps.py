"""Swaps (换班) of shifts between two people."""

from typing import Any
from uuid import UUID

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.swaps import SwapIn, SwapOut
from app.services import activities
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.eligibility import NotEligible
from app.services.sessions import NotOnShift, SessionNotFound
from app.services.signup_pauses import SignupsPaused
from app.services.signup_terms import AnswersMissing
from app.services.swaps import accepting, admitting, listing, offering
from app.services.swaps.offering import SwapNotFound, SwapWrongState

ABOUT = Bilingual("换班：两人交换班次，或转给他人", "Swaps of shifts between two people")
router = Router(tags=["swaps"], about=ABOUT)
ANSWER = (SwapNotFound, SwapWrongState)


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


@router.post(
    "/shifts/{shift_id}/swaps",
    status_code=201,
    operation_id="proposeSwap",
    **allow(
        RESIDENT,
        SessionNotFound,
        ActivityNotOpen,
        NotOnShift,
        NotEligible,
        offering.ShiftBegun,
        offering.ShiftAttended,
        offering.SwapThere,
        body=True,
        once=True,
    ),
)
@leads_to("withdrawSwap", {"swap_id": "id"})
async def propose_swap(shift_id: PathId, body: SwapIn, tx: Tx, person_id: CurrentPerson) -> SwapOut:
    """Offer one's place at a shift in exchange for another person's, or to whoever takes it.

    The offer ends when the earlier of the shifts starts.
    """
    return await offering.propose(tx, person_id, shift_id, body)


@router.get(
    "/activities/{activity_id}/swaps",
    operation_id="listOpenSwaps",
    **allow(RESIDENT, ActivityNotFound),
)
@leads_to("acceptSwap", {"swap_id": "items/0/id"})
async def list_open_swaps(
    activity_id: PathId, tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[SwapOut]:
    """Return the shifts of an activity that are given away, newest first."""
    return await listing.browse(tx, person_id, activity_id, page)


exports.beside(router, list_open_swaps, Bilingual("换班", "Swaps"), org=_org_of)


@router.get("/me/swaps", operation_id="listMySwaps", **allow(RESIDENT))
async def list_my_swaps(tx: Reader, person_id: CurrentPerson, page: PageQuery) -> Page[SwapOut]:
    """Return the offers that the caller made, was asked by or accepted, newest first."""
    return await listing.mine(tx, person_id, page)


exports.beside(router, list_my_swaps, Bilingual("我的换班", "My swaps"))


@router.post(
    "/swaps/{swap_id}/acceptance",
    operation_id="acceptSwap",
    **allow(
        RESIDENT,
        *ANSWER,
        accepting.OwnSwap,
        accepting.SwapStale,
        ActivityNotOpen,
        offering.ShiftBegun,
        offering.ShiftAttended,
        accepting.SwapClash,
        SignupsPaused,
        NotEligible,
        AnswersMissing,
        admitting.TakerNotApproved,
        body=True,
        once=True,
    ),
)
async def accept_swap(
    swap_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> SwapOut:
    """Accept an offer; both sign-ups change hands at once, and both people are told.

    Who takes a shift that is given away must be one who could sign up to the activity.
    """
    return await accepting.accept(tx, person_id, swap_id)


@router.post(
    "/swaps/{swap_id}/refusal",
    operation_id="refuseSwap",
    **allow(RESIDENT, *ANSWER, body=True, once=True),
)
async def refuse_swap(
    swap_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> SwapOut:
    """Refuse an exchange that the caller was asked for."""
    return await offering.refuse(tx, person_id, swap_id)


@router.post(
    "/swaps/{swap_id}/withdrawal",
    operation_id="withdrawSwap",
    **allow(RESIDENT, *ANSWER, body=True, once=True),
)
async def withdraw_swap(
    swap_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> SwapOut:
    """Take the caller's own offer back."""
    return await offering.withdraw(tx, person_id, swap_id)

"""Deductions and appeals against them."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ORGANIZER, READER, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CardGuesses
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.deductions import DeductionState
from app.schemas.base import Id
from app.schemas.deductions import AppealDecisionIn, AppealIn, DeductionIn, DeductionOut
from app.services import deductions
from app.services.deductions import (
    AppealClosed,
    DeductedBefore,
    DeductionNotFound,
    NotAppealed,
    OwnDeduction,
    OwnPoints,
    TooManyDeductions,
    TooManyOfPerson,
)
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import PersonMerged, PersonNotFound

ABOUT = Bilingual("扣分与申诉", "Deductions of points, and appeals against them")
router = Router(tags=["deductions"], about=ABOUT)


@router.post(
    "/deductions",
    status_code=201,
    operation_id="deductPoints",
    **allow(
        ORGANIZER,
        OrgNotFound,
        OrgClosed,
        PersonNotFound,
        PersonMerged,
        OwnPoints,
        DeductedBefore,
        TooManyDeductions,
        TooManyOfPerson,
        body=True,
        once=True,
    ),
)
async def deduct_points(
    body: DeductionIn, tx: Tx, person_id: CurrentPerson, guesses: CardGuesses
) -> DeductionOut:
    """Deduct points of somebody else for a breach of the rules, at most those available."""
    return await deductions.deduct(tx, person_id, body, guesses)


@router.get("/deductions", operation_id="listDeductions", **allow(READER, OrgNotFound))
async def list_deductions(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    state: Annotated[DeductionState | None, Query(description="Only in this state.")] = None,
) -> Page[DeductionOut]:
    """Return the deductions of an organisation and its subtree, newest first."""
    return await deductions.browse(tx, person_id, org_id, state, page)


exports.beside(router, list_deductions, Bilingual("扣分记录", "Deductions"))


@router.get("/me/deductions", operation_id="listMyDeductions", **allow(RESIDENT))
async def list_my_deductions(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[DeductionOut]:
    """Return the caller's deductions, newest first."""
    return await deductions.mine(tx, person_id, page)


exports.beside(router, list_my_deductions, Bilingual("我的扣分记录", "My deductions"))


@router.post(
    "/deductions/{deduction_id}/appeal",
    operation_id="appealDeduction",
    **allow(RESIDENT, DeductionNotFound, AppealClosed, body=True, once=True),
)
async def appeal_deduction(
    deduction_id: PathId, body: AppealIn, tx: Tx, person_id: CurrentPerson
) -> DeductionOut:
    """Appeal against a deduction from the caller, once and before the deadline."""
    return await deductions.appeal(tx, person_id, deduction_id, body)


@router.post(
    "/deductions/{deduction_id}/decision",
    operation_id="decideAppeal",
    **allow(ORGANIZER, DeductionNotFound, OwnDeduction, NotAppealed, body=True, once=True),
)
async def decide_appeal(
    deduction_id: PathId,
    body: AppealDecisionIn,
    tx: Tx,
    person_id: CurrentPerson,
) -> DeductionOut:
    """Decide an appeal. Neither the person who deducted nor the one deducted from may decide."""
    return await deductions.decide(tx, person_id, deduction_id, body)

"""Categories of people: recorded for a cohort, listed, ended."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ORGANIZER, READER, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.person_categories import PeopleCategory
from app.schemas.base import OrgId
from app.schemas.person_categories import (
    CohortOut,
    MyPersonCategoryOut,
    PersonCategoryEndIn,
    PersonCategoryIn,
    PersonCategoryOut,
)
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.person_categories import reading, recording
from app.services.person_categories.recording import (
    OwnCategory,
    PersonCategoryEnded,
    PersonCategoryNotFound,
)

ABOUT = Bilingual("人员类别：登记、查询与终止", "Categories of people: recorded, listed, ended")
router = Router(tags=["person_categories"], about=ABOUT)
CategoryQuery = Annotated[PeopleCategory | None, Query(description="Only this category; else all.")]


@router.post(
    "/person-categories",
    status_code=201,
    operation_id="recordPersonCategories",
    **allow(ORGANIZER, OrgNotFound, OrgClosed, body=True, once=True),
)
async def record_person_categories(
    body: PersonCategoryIn, tx: Tx, caller: CurrentPerson, guesses: CardGuesses
) -> CohortOut:
    """Record a category for up to 500 people, each with an outcome of their own."""
    return await recording.record(tx, caller, body, guesses)


@router.get("/person-categories", operation_id="listPersonCategories", **allow(READER, OrgNotFound))
@leads_to("endPersonCategory", {"person_category_id": "items/0/id"})
async def list_person_categories(
    tx: Reader,
    caller: CurrentPerson,
    page: PageQuery,
    org_id: OrgId,
    category: CategoryQuery = None,
) -> Page[PersonCategoryOut]:
    """Return the categories that an organisation and those below it recorded, newest first."""
    return await reading.browse(tx, caller, org_id, category, page)


exports.beside(router, list_person_categories, Bilingual("人员类别", "Categories of people"))


@router.post(
    "/person-categories/{person_category_id}/end",
    operation_id="endPersonCategory",
    **allow(
        ORGANIZER,
        PersonCategoryNotFound,
        OwnCategory,
        PersonCategoryEnded,
        body=True,
        once=True,
    ),
)
async def end_person_category(
    person_category_id: PathId, body: PersonCategoryEndIn, tx: Tx, caller: CurrentPerson
) -> PersonCategoryOut:
    """End a category before its last day; the person is told."""
    return await recording.end(tx, caller, person_category_id, body)


@router.get("/me/person-categories", operation_id="listMyPersonCategories", **allow(RESIDENT))
async def list_my_person_categories(
    tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[MyPersonCategoryOut]:
    """Return the caller's categories and who recorded them, newest first."""
    return await reading.mine(tx, caller, page)

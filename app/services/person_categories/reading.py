"""Categories as organisations and the person read them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.paging import Page, PageParams
from app.models.person_categories import PeopleCategory, PersonCategory
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import person_categories as queries
from app.schemas.person_categories import MyPersonCategoryOut, PersonCategoryOut
from app.services import people, records


async def browse(
    tx: Session, caller: UUID, org_id: UUID, category: PeopleCategory | None, asked: PageParams
) -> Page[PersonCategoryOut]:
    """Return what a subtree recorded, newest first. Raises OrgNotFound, Forbidden."""

    async def show(rows: Sequence[PersonCategory]) -> Sequence[PersonCategoryOut]:
        return await shown(tx, rows)

    return await records.browse(
        tx, caller, people.READERS, org_id, PersonCategory, show, asked, category=category
    )


async def shown(tx: Session, rows: Sequence[PersonCategory]) -> list[PersonCategoryOut]:
    """Return categories with the masked names of their people."""
    names = await people_queries.names(tx, sorted({one.person_id for one in rows}))
    return [
        PersonCategoryOut(
            **one.model_dump(), display_name=people.masked(names[one.person_id].display_name)
        )
        for one in rows
    ]


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MyPersonCategoryOut]:
    """Return the caller's categories, newest first."""

    async def show(rows: Sequence[PersonCategory]) -> Sequence[MyPersonCategoryOut]:
        names = await org_queries.names_of(tx, sorted({one.org_id for one in rows}))
        return [
            MyPersonCategoryOut(**one.model_dump(), org_name=names[one.org_id][1]) for one in rows
        ]

    query = queries.of_people(await people_queries.family(tx, person_id))
    return await records.page(tx, query, PersonCategory, show, asked)


async def held(tx: Session, person_id: UUID) -> list[tuple[PeopleCategory, str]]:
    """Return the categories of a person today, by all accounts, with the path of who says so."""
    family = await people_queries.family(tx, person_id)
    return [
        (PeopleCategory(category), path)
        for category, path in await queries.held(tx, family, local_date(now()))
    ]


def near(held_by: Collection[tuple[PeopleCategory, str]], org_path: str) -> set[PeopleCategory]:
    """Return the categories that count at an organisation: said by it, above it or below it."""
    return {
        category
        for category, path in held_by
        if path.startswith(org_path) or org_path.startswith(path)
    }

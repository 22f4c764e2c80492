"""Grants as organisations and their people read them."""

from collections.abc import Sequence
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.paging import Page, PageParams
from app.models.courtesy_grants import CourtesyGrant
from app.queries import courtesy_grants as queries
from app.queries import people as people_queries
from app.schemas.courtesy_grants import CourtesyGrantOut, GrantedCourtesyOut, MyCourtesyGrantOut
from app.services import people, records


class CourtesyGrantNotFound(Refusal):
    code, status, title = "courtesy_grants.not_found", 404, "No such grant"
    zh, en = "没有这份礼包", "There is no such grant of courtesies."


async def browse(
    tx: Session, caller: UUID, org_id: UUID, asked: PageParams
) -> Page[CourtesyGrantOut]:
    """Return the grants of a subtree, newest first. Raises OrgNotFound, Forbidden."""

    async def show(rows: Sequence[CourtesyGrant]) -> Sequence[CourtesyGrantOut]:
        return await shown(tx, rows)

    return await records.browse(tx, caller, people.READERS, org_id, CourtesyGrant, show, asked)


async def shown(tx: Session, rows: Sequence[CourtesyGrant]) -> list[CourtesyGrantOut]:
    """Return grants with the numbers of their people."""
    counts = await queries.counts(tx, [one.id for one in rows])
    return [
        CourtesyGrantOut(**one.model_dump(), people=counts[one.id][0], claimed=counts[one.id][1])
        for one in rows
    ]


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MyCourtesyGrantOut]:
    """Return the caller's packages, newest first."""
    family = await people_queries.family(tx, person_id)

    async def show(rows: Sequence[CourtesyGrant]) -> Sequence[MyCourtesyGrantOut]:
        ids = [one.id for one in rows]
        inside: dict[UUID, list[GrantedCourtesyOut]] = {one: [] for one in ids}
        for grant, courtesy in await queries.items(tx, ids):
            name = named(courtesy.name, courtesy.name_en)
            inside[grant].append(GrantedCourtesyOut(courtesy_id=courtesy.id, courtesy_name=name))
        claimed = await queries.claimed(tx, family, ids)
        return [
            MyCourtesyGrantOut(
                **one.model_dump(), courtesies=inside[one.id], claimed_at=claimed[one.id]
            )
            for one in rows
        ]

    return await records.page(tx, queries.of_people(family), CourtesyGrant, show, asked)

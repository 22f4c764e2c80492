"""Courtesies as everybody reads them, with what the caller may have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.courtesies import Courtesy, CourtesyState
from app.queries import courtesies as queries
from app.queries import records as record_queries
from app.schemas.courtesies import (
    CourtesyCellOut,
    CourtesyDetailOut,
    CourtesyOut,
    CourtesyPlaceOut,
    MyCourtesyOut,
)
from app.services import orgs, people, records
from app.services.courtesies import eligibility


class CourtesyNotFound(Refusal):
    code, status, title = "courtesies.not_found", 404, "No such courtesy"
    zh, en = "礼遇不存在", "There is no such courtesy."


async def browse(
    tx: Session, caller: UUID | None, org_id: UUID | None, state: CourtesyState, asked: PageParams
) -> Page[CourtesyOut]:
    """Return the courtesies in a state, newest first; drafts to readers of an organisation.

    Raises OrgNotFound; for drafts Forbidden, Invalid (without an organisation).
    """
    path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    if state is CourtesyState.draft:
        if path is None:
            raise invalid("query.org_id", "查看草稿须指定组织", "drafts are of an organisation")
        if not await people.holds(tx, caller, people.READERS, path):
            raise people.Forbidden
    query = (
        record_queries.where(Courtesy, state=state)
        if path is None
        else record_queries.below(Courtesy, path, state=state)
    )

    async def show(rows: Sequence[Courtesy]) -> Sequence[CourtesyOut]:
        return [CourtesyOut.model_validate(fields_of(one)) for one in rows]

    return await records.page(tx, query, Courtesy, show, asked)


async def show(tx: Session, caller: UUID | None, courtesy_id: UUID) -> CourtesyDetailOut:
    """Return a courtesy; a draft to readers of its organisation. Raises CourtesyNotFound."""
    found = await record_queries.find(tx, Courtesy, courtesy_id)
    if found is None:
        raise CourtesyNotFound
    if found.state == CourtesyState.draft:
        org = await orgs.get(tx, found.org_id)
        if not await people.holds(tx, caller, people.READERS, org.path):
            raise CourtesyNotFound
    return await detail(tx, found, caller)


async def detail(tx: Session, one: Courtesy, caller: UUID | None) -> CourtesyDetailOut:
    """Return a courtesy with its matrix, and what the caller may have of it."""
    at, mine = now(), None
    if caller is not None:
        seen = await eligibility.sight(tx, caller, [one], at)
        mine = eligibility.explained(one, seen, at)
    cells = (await queries.cells(tx, [one.id]))[one.id]
    return CourtesyDetailOut(
        **fields_of(one),
        name_zh=one.name,
        name_en=one.name_en,
        places=await _places(tx, one),
        cells=[CourtesyCellOut.model_validate(cell) for cell in cells],
        version=one.version,
        mine=mine,
    )


async def mine(
    tx: Session, caller: UUID, org_id: UUID | None, asked: PageParams
) -> Page[MyCourtesyOut]:
    """Return what is published, with what the caller may have of it. Raises OrgNotFound."""
    path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    at = now()

    async def show(rows: Sequence[Courtesy]) -> Sequence[MyCourtesyOut]:
        return await _mine(tx, caller, rows, at)

    return await records.page(tx, queries.open_at(at, path), Courtesy, show, asked)


async def _mine(
    tx: Session, caller: UUID, rows: Sequence[Courtesy], at: datetime
) -> list[MyCourtesyOut]:
    seen = await eligibility.sight(tx, caller, rows, at)
    places = await queries.places(tx, [one.id for one in rows])
    return [
        MyCourtesyOut(
            **fields_of(one),
            places=[_place(*place) for place in places[one.id]],
            mine=eligibility.explained(one, seen, at),
        )
        for one in rows
    ]


def fields_of(one: Courtesy) -> dict[str, Any]:
    """Return the fields that every shape of a courtesy has, the name in both languages."""
    values = one.model_dump(exclude={"name", "name_en", "created_by", "version"})
    return values | {"name": named(one.name, one.name_en)}


async def _places(tx: Session, one: Courtesy) -> list[CourtesyPlaceOut]:
    return [_place(*place) for place in (await queries.places(tx, [one.id]))[one.id]]


def _place(merchant_id: UUID, name: str) -> CourtesyPlaceOut:
    return CourtesyPlaceOut(merchant_id=merchant_id, merchant_name=name)

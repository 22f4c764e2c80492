"""Claims and uses, as the person, the organisation and the merchant read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import named
from app.core.paging import Page, PageParams
from app.models.courtesies import Courtesy
from app.models.courtesy_claims import CourtesyClaim, CourtesyClaimState
from app.queries import courtesies as courtesy_queries
from app.queries import courtesy_claims as queries
from app.queries import people as people_queries
from app.schemas.courtesy_claims import CounterClaimOut, CourtesyClaimOut, MyCourtesyClaimOut
from app.services import people, records
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff


class CourtesyClaimNotFound(Refusal):
    code, status, title = "courtesy_claims.not_found", 404, "No such claim"
    zh, en = "没有可在此使用的礼遇", "There is no such claim of a courtesy here."


class CourtesyClaimWrongState(records.WrongState):
    code = "courtesy_claims.wrong_state"


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside claims: their courtesies, and names of merchants and people."""

    courtesies: Mapping[UUID, Courtesy]
    merchants: Mapping[UUID, str]
    people: Mapping[UUID, str]


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MyCourtesyClaimOut]:
    """Return the caller's claims, newest first."""

    async def show(rows: Sequence[CourtesyClaim]) -> Sequence[MyCourtesyClaimOut]:
        return await to_person(tx, rows)

    query = queries.of_people(await people_queries.family(tx, person_id))
    return await records.page(tx, query, CourtesyClaim, show, asked)


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    courtesy_id: UUID | None,
    *,
    used: bool,
    asked: PageParams,
) -> Page[CourtesyClaimOut]:
    """Return the claims of a subtree's courtesies, newest first. Raises OrgNotFound, Forbidden."""

    async def show(rows: Sequence[CourtesyClaim]) -> Sequence[CourtesyClaimOut]:
        beside, at = await _beside(tx, rows), now()
        return [_of_org(one, beside, at) for one in rows]

    state = CourtesyClaimState.used if used else None
    wanted = {"courtesy_id": courtesy_id, "state": state}
    return await records.browse(
        tx, caller, people.READERS, org_id, CourtesyClaim, show, asked, **wanted
    )


async def at_merchant(tx: Session, staff: Staff, asked: PageParams) -> Page[CounterClaimOut]:
    """Return what was used at the merchant, newest claim first.

    Raises Forbidden, MerchantNotYours.
    """
    merchant = await merchants.of_staff(tx, staff)

    async def show(rows: Sequence[CourtesyClaim]) -> Sequence[CounterClaimOut]:
        return await to_counter(tx, rows)

    return await records.page(tx, queries.used_at(merchant.id), CourtesyClaim, show, asked)


async def to_person(tx: Session, rows: Sequence[CourtesyClaim]) -> list[MyCourtesyClaimOut]:
    """Return claims as the person who made them sees them."""
    beside, at = await _beside(tx, rows), now()
    return [MyCourtesyClaimOut(**_fields(one, beside, at)) for one in rows]


async def to_org(tx: Session, one: CourtesyClaim) -> CourtesyClaimOut:
    """Return a claim as the readers of the organisation see it."""
    return _of_org(one, await _beside(tx, [one]), now())


async def to_counter(tx: Session, rows: Sequence[CourtesyClaim]) -> list[CounterClaimOut]:
    """Return claims as a counter sees them."""
    beside, at = await _beside(tx, rows), now()
    shown = set(CounterClaimOut.model_fields) - {"display_name"}
    return [
        CounterClaimOut(
            **{name: value for name, value in _fields(one, beside, at).items() if name in shown},
            display_name=beside.people[one.created_by],
        )
        for one in rows
    ]


def state_at(one: CourtesyClaim, at: datetime) -> CourtesyClaimState:
    """Return the state at a moment: what was not used in time is expired."""
    if one.state == CourtesyClaimState.claimed and one.valid_until <= at:
        return CourtesyClaimState.expired
    return CourtesyClaimState(one.state)


def _of_org(one: CourtesyClaim, beside: Beside, at: datetime) -> CourtesyClaimOut:
    return CourtesyClaimOut(
        **_fields(one, beside, at),
        person_id=one.created_by,
        display_name=beside.people[one.created_by],
        merchant_id=one.merchant_id,
        used_by=one.used_by,
    )


def _fields(one: CourtesyClaim, beside: Beside, at: datetime) -> dict[str, Any]:
    courtesy = beside.courtesies[one.courtesy_id]
    at_merchant = beside.merchants.get(one.merchant_id) if one.merchant_id else None
    names = ("id", "org_id", "courtesy_id", "grant_id", "created_at", "valid_until", "used_at")
    return {
        **{name: getattr(one, name) for name in names},
        "courtesy_name": named(courtesy.name, courtesy.name_en),
        "state": state_at(one, at),
        "place": (at_merchant or courtesy.venue) if one.used_at else None,
    }


async def _beside(tx: Session, rows: Sequence[CourtesyClaim]) -> Beside:
    names = await people_queries.names(tx, sorted({one.created_by for one in rows}))
    return Beside(
        await courtesy_queries.find_many(tx, sorted({one.courtesy_id for one in rows})),
        await queries.merchant_names(
            tx, sorted({one.merchant_id for one in rows if one.merchant_id})
        ),
        {person: people.masked(one.display_name) for person, one in names.items()},
    )

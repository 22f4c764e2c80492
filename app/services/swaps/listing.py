"""The offers of shifts that somebody sees."""

from collections.abc import Sequence
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.paging import Page, PageParams
from app.models.swaps import Swap, SwapState
from app.queries import swaps as queries
from app.queries.swaps import Shift
from app.schemas.swaps import SwapOut, SwapShiftOut
from app.services import records, sessions


async def mine(tx: Session, caller: UUID, asked: PageParams) -> Page[SwapOut]:
    """Return the offers that the caller made, was asked by or accepted, newest first."""
    return await records.page(
        tx, queries.of_person(caller), Swap, lambda found: shown(tx, caller, found), asked
    )


async def browse(tx: Session, caller: UUID, activity_id: UUID, asked: PageParams) -> Page[SwapOut]:
    """Return the offers of an activity that anybody may take. Raises ActivityNotFound."""
    await sessions.visible(tx, caller, activity_id)
    query = queries.open_ones(activity_id, now())
    return await records.page(tx, query, Swap, lambda found: shown(tx, caller, found), asked)


async def shown(tx: Session, caller: UUID, found: Sequence[Swap]) -> list[SwapOut]:
    titles = await queries.titles(tx, {one.activity_id for one in found})
    offered = await queries.sessions(tx, {one.shift_id for one in found})
    asked = [one.with_signup_id for one in found if one.with_signup_id is not None]
    wanted = await queries.shifts_of(tx, asked)
    return [
        SwapOut(
            **one.model_dump(
                include={"id", "org_id", "created_by", "created_at", "activity_id", "expires_at"}
            ),
            state=SwapState(one.state),
            activity_title=titles[one.activity_id],
            offered=_shift(offered[one.shift_id]),
            wanted=_shift(wanted[one.with_signup_id]) if one.with_signup_id else None,
            is_mine=one.created_by == caller,
        )
        for one in found
    ]


def _shift(one: Shift) -> SwapShiftOut:
    same = one.session.model_dump(include={"id", "number", "starts_at", "ends_at"})
    return SwapShiftOut(**same, post_name=one.post_name)

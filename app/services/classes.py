"""Classes for minors: children alone sign up; the list of a session is read with a trace."""

from uuid import UUID

from app.core.db import Session
from app.core.keys import FieldCipher
from app.core.paging import Page, PageParams, by_id
from app.models.activities import Activity
from app.models.handovers import Handover, HandoverProof
from app.models.signups import SignupStatus
from app.queries import classes as queries
from app.queries import people as people_queries
from app.schemas.children import FetcherOut
from app.schemas.classes import ClassChildOut, ClassFiguresOut
from app.services import attendance, audit, people, session_numbers
from app.services.signup_terms import NotAClass


async def read_list(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    activity_id: UUID,
    number: int,
    asked: PageParams,
) -> Page[ClassChildOut]:
    """Return who signed up and what happened at a session; the reading is in the audit trail.

    Raises ActivityNotFound, Forbidden, NotAClass, SessionNotFound.
    """
    activity, _ = await _readable(tx, caller, activity_id)
    page = await rows(tx, cipher, caller, activity_id, number, asked)
    facts = {"children": len(page.items), "session": number}
    await audit.write_about(
        tx, caller, "class_list_read", ("activity", activity_id), activity.org_id, facts=facts
    )
    return page


async def rows(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    activity_id: UUID,
    number: int,
    asked: PageParams,
) -> Page[ClassChildOut]:
    """Return the rows of ``read_list`` without a trace: an export leaves its own.

    Raises ActivityNotFound, Forbidden, NotAClass, SessionNotFound.
    """
    activity, masks = await _readable(tx, caller, activity_id)
    if number:
        await session_numbers.span(tx, activity, number)

    async def read(after: UUID | None, limit: int) -> list[ClassChildOut]:
        found = await queries.page(tx, activity_id, number, after, limit)
        fetchers = {one[5].fetched_by for one in found if one[5] is not None}
        names = await people_queries.names(tx, [one for one in fetchers if one is not None])
        shown = {one.id: one.display_name for one in names.values()}
        return [_to_out(cipher, row, shown, masks=masks) for row in found]

    return await by_id(asked, read, lambda out: out)


async def figures(tx: Session, caller: UUID, activity_id: UUID) -> ClassFiguresOut:
    """Return the counts of a class. Raises ActivityNotFound, Forbidden, NotAClass."""
    await _readable(tx, caller, activity_id)
    children, attended, presences, handovers, minutes = await queries.figures(tx, activity_id)
    return ClassFiguresOut(
        children=children,
        attended=attended,
        presences=presences,
        handovers=handovers,
        lesson_minutes=minutes,
    )


async def _readable(tx: Session, caller: UUID, activity_id: UUID) -> tuple[Activity, bool]:
    activity, masks = await attendance.readable(tx, caller, activity_id)
    if not activity.for_minors:
        raise NotAClass
    return activity, masks


def _to_out(
    cipher: FieldCipher, row: queries.Row, names: dict[UUID, str], *, masks: bool
) -> ClassChildOut:
    signup, person, child, checkin, checkout, handover = row
    name = person.display_name  # masked
    if child is not None and not masks:
        name = cipher.open(child.name_sealed)
    fetcher, relation = _fetcher(cipher, handover, names)
    return ClassChildOut(
        id=signup.id,
        person_id=signup.person_id,
        display_name=name,
        status=SignupStatus(signup.status),
        may_leave_alone=child is not None and child.may_leave_alone,
        checked_in_at=checkin and (checkin.came_at or checkin.checked_in_at),
        checked_out_at=checkout and checkout.left_at,
        handed_over_at=handover and handover.handed_over_at,
        proof=handover and HandoverProof(handover.proof),
        fetched_by=people.masked(fetcher) if fetcher and masks else fetcher,
        relation=relation,
    )


def _fetcher(
    cipher: FieldCipher, handover: Handover | None, names: dict[UUID, str]
) -> tuple[str | None, str | None]:
    """Return name and relation of who fetched a child; of the guardian the name alone."""
    if handover is None:
        return None, None
    if handover.fetcher_sealed is not None:
        named = FetcherOut.model_validate_json(cipher.open(handover.fetcher_sealed))
        return named.name, named.relation
    return (names.get(handover.fetched_by) if handover.fetched_by else None), None

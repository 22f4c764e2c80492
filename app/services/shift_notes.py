"""Hand-over notes: what who holds a shift tells who holds the next one of the same post."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.models.activities import Activity
from app.models.sessions import ActivitySession
from app.models.shift_notes import ShiftNote
from app.queries import sessions as session_queries
from app.queries import shift_notes as queries
from app.schemas.shift_notes import ShiftNoteIn, ShiftNoteOut
from app.services import audit, eligibility, people, posts, sessions
from app.services.activities import ActivityNotFound
from app.services.sessions import NotOnShift, SessionNotFound


async def write(tx: Session, caller: UUID, shift_id: UUID, body: ShiftNoteIn) -> ShiftNoteOut:
    """Write or replace the note of a shift that one holds, or of an activity that one organizes.

    Raises SessionNotFound, NotOnShift, NotEligible (under 14, without a guardian's consent).
    """
    activity, shift = await _shift(tx, caller, shift_id)
    if not await _holds(tx, caller, activity, [shift.number]):
        raise NotOnShift
    await eligibility.require_consent(tx, caller)
    note = ShiftNote(shift_id=shift_id, text=body.text, written_by=caller, written_at=now())
    await queries.put(tx, note)
    facts = {"session": shift.number}
    await audit.write(tx, caller, "edited", activity, fields=["handover"], facts=facts)
    return _to_out(shift_id, note, caller)


async def read(tx: Session, caller: UUID, shift_id: UUID) -> ShiftNoteOut:
    """Return the note of a shift to who holds it or the next of its post, organizers and auditors.

    Raises SessionNotFound, NotOnShift.
    """
    activity, shift = await _shift(tx, caller, shift_id)
    following = await queries.next_shift(tx, shift)
    numbers = [shift.number, *([following.number] if following else [])]
    if not await _holds(tx, caller, activity, numbers) and not await people.holds(
        tx, caller, people.READERS, activity.org_path
    ):
        raise NotOnShift
    return _to_out(shift_id, await queries.find(tx, shift_id), caller)


async def _shift(tx: Session, caller: UUID, shift_id: UUID) -> tuple[Activity, ActivitySession]:
    shift = await session_queries.find(tx, shift_id)
    if shift is None or shift.post_id is None:
        raise SessionNotFound
    try:
        return await sessions.visible(tx, caller, shift.activity_id), shift
    except ActivityNotFound:
        raise SessionNotFound from None


async def _holds(tx: Session, caller: UUID, activity: Activity, numbers: list[int]) -> bool:
    return await queries.holds(tx, activity.id, numbers, caller) or await posts.is_organized(
        tx, caller, activity
    )


def _to_out(shift_id: UUID, note: ShiftNote | None, caller: UUID) -> ShiftNoteOut:
    return ShiftNoteOut(
        shift_id=shift_id,
        text=note.text if note else None,
        is_mine=note is not None and note.written_by == caller,
        written_at=note.written_at if note else None,
    )

"""Hand-over notes (交接记录) of shifts."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.shift_notes import ShiftNoteIn, ShiftNoteOut
from app.services import shift_notes
from app.services.eligibility import NotEligible
from app.services.sessions import NotOnShift, SessionNotFound

ABOUT = Bilingual(
    "交接记录：本班写给同一岗位下一班",
    "Hand-over notes, from a shift to the next one of its post",
)
router = Router(tags=["shift_notes"], about=ABOUT)
PATH = "/shifts/{shift_id}/note"


@router.put(
    PATH,
    operation_id="writeShiftNote",
    **allow(RESIDENT, SessionNotFound, NotOnShift, NotEligible, body=True),
)
@leads_to("getShiftNote", {"shift_id": "shift_id"})
async def write_shift_note(
    shift_id: PathId, body: ShiftNoteIn, tx: Tx, person_id: CurrentPerson
) -> ShiftNoteOut:
    """Write the note of a shift, or replace it: who holds the shift, or organizes the activity."""
    return await shift_notes.write(tx, person_id, shift_id, body)


@router.get(PATH, operation_id="getShiftNote", **allow(RESIDENT, SessionNotFound, NotOnShift))
async def get_shift_note(shift_id: PathId, tx: Reader, person_id: CurrentPerson) -> ShiftNoteOut:
    """Return the note: to who holds this shift or the next one of its post.

    To organizers and auditors of the organisation too.
    """
    return await shift_notes.read(tx, person_id, shift_id)

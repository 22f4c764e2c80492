"""Hand-over notes (交接记录) of shifts."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.handovers import HandoverIn, HandoverOut
from app.services import handovers
from app.services.sessions import NotOnShift, SessionNotFound

ABOUT = Bilingual(
    "交接记录：本班写给同一岗位下一班",
    "Hand-over notes, from a shift to the next one of its post",
)
router = Router(tags=["handovers"], about=ABOUT)
PATH = "/shifts/{shift_id}/handover"


@router.put(
    PATH, operation_id="writeHandover", **allow(RESIDENT, SessionNotFound, NotOnShift, body=True)
)
@leads_to("getHandover", {"shift_id": "shift_id"})
async def write_handover(
    shift_id: PathId, body: HandoverIn, tx: Tx, person_id: CurrentPerson
) -> HandoverOut:
    """Write the note of a shift, or replace it: who holds the shift, or organizes the activity."""
    return await handovers.write(tx, person_id, shift_id, body)


@router.get(PATH, operation_id="getHandover", **allow(RESIDENT, SessionNotFound, NotOnShift))
async def get_handover(shift_id: PathId, tx: Reader, person_id: CurrentPerson) -> HandoverOut:
    """Return the note: to who holds this shift or the next one of its post.

    To organizers and auditors of the organisation too.
    """
    return await handovers.read(tx, person_id, shift_id)

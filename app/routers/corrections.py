"""Corrections of check-ins."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.corrections import AnnulmentIn, CorrectionIn, CorrectionOut
from app.services import corrections
from app.services.awards.review import OwnAward
from app.services.corrections import (
    AwardEnded,
    CheckinAnnulled,
    CheckinNotFound,
    StillInside,
    TooManyCorrections,
)
from app.services.people import Forbidden

ABOUT = Bilingual(
    "更正签到：修改时间或作废，积分与时长随之冲正",
    "Corrections of check-ins: other times, or none; points and hours follow",
)
router = Router(prefix="/checkins/{checkin_id}", tags=["corrections"], about=ABOUT)
REFUSED = (CheckinNotFound, Forbidden, OwnAward, CheckinAnnulled, TooManyCorrections)


@router.put(
    "",
    operation_id="correctCheckin",
    **allow(RESIDENT, *REFUSED, AwardEnded, StillInside, body=True, once=True),
)
async def correct_checkin(
    checkin_id: PathId, body: CorrectionIn, tx: Tx, person_id: CurrentPerson
) -> CorrectionOut:
    """Replace the times of a check-in; its award is reversed, and one for the new times given.

    For organizers and co-organizers of the activity, not of a check-in of their own.
    """
    return await corrections.correct(tx, person_id, checkin_id, body)


@router.post(
    "/annulment",
    operation_id="annulCheckin",
    **allow(RESIDENT, *REFUSED, body=True, once=True),
)
async def annul_checkin(
    checkin_id: PathId, body: AnnulmentIn, tx: Tx, person_id: CurrentPerson
) -> CorrectionOut:
    """Annul a check-in: its points and hours are reversed, the place stays used."""
    return await corrections.annul(tx, person_id, checkin_id, body.reason)

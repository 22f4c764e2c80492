"""Confirming real names (网格确认)."""

from app.api.access import ORGANIZER, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.name_confirmations import NameConfirmationIn, NameConfirmationOut
from app.services import name_confirmations
from app.services.people import PersonMerged, PersonNotFound

ABOUT = Bilingual("实名确认：由网格组织者确认居民姓名", "Real names confirmed by organizers")
router = Router(tags=["name_confirmations"], about=ABOUT)
CONFIRM = allow(
    ORGANIZER,
    PersonNotFound,
    PersonMerged,
    name_confirmations.OwnName,
    name_confirmations.AnotherName,
    name_confirmations.Confirmed,
    body=True,
    once=True,
)


@router.post(
    "/people/{person_id}/name-confirmation",
    status_code=201,
    operation_id="confirmName",
    **CONFIRM,
)
async def confirm_name(
    person_id: PathId, body: NameConfirmationIn, tx: Tx, caller: CurrentPerson
) -> NameConfirmationOut:
    """Confirm that a resident of the caller's community has the name of the account.

    Ends when the resident changes the name.
    """
    return await name_confirmations.confirm(tx, caller, person_id, body)

"""The caller."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.routes import Router
from app.schemas.people import MeIn, MeOut
from app.services import people

router = Router(tags=["people"])


@router.get("/me", operation_id="getMe", **allow(RESIDENT, people.PersonNotFound))
async def get_me(tx: Reader, person_id: CurrentPerson) -> MeOut:
    """Return the caller and the roles it holds."""
    return await people.me(tx, person_id)


@router.put("/me", operation_id="updateMe", **allow(RESIDENT, people.PersonNotFound, body=True))
async def update_me(body: MeIn, tx: Tx, person_id: CurrentPerson) -> MeOut:
    """Replace what the caller tells about itself."""
    return await people.update_me(tx, person_id, body)

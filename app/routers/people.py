"""The caller."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.profiles import MeIn, MeOut
from app.services import profiles
from app.services.orgs import OrgClosed
from app.services.people import PersonNotFound

ABOUT = Bilingual("本人：个人信息与设置", "The caller: profile and settings")
router = Router(tags=["people"], about=ABOUT)
UPDATE = allow(
    RESIDENT,
    PersonNotFound,
    OrgClosed,
    profiles.GuardianNeeded,
    profiles.UnderGuardian,
    body=True,
)


@router.get("/me", operation_id="getMe", **allow(RESIDENT, PersonNotFound))
async def get_me(tx: Reader, person_id: CurrentPerson) -> MeOut:
    """Return the caller and their roles."""
    return await profiles.mine(tx, person_id)


@router.put("/me", operation_id="updateMe", **UPDATE)
async def update_me(body: MeIn, tx: Tx, person_id: CurrentPerson) -> MeOut:
    """Replace the caller's own data.

    A birth date or year under 14 needs a guardian's consent before, and does not become one
    of 14 or more after. A new community is open. Another name is not confirmed any more.
    """
    return await profiles.replace(tx, person_id, body)

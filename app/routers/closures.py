"""Closing one's account (注销账号)."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.closures import ClosureOut
from app.services import closures
from app.services.people import PersonNotFound
from app.services.roles import LastAdministrator

ABOUT = Bilingual("注销账号：申请、查询、撤销", "Closing the account: asking, looking, keeping it")
router = Router(tags=["closures"], about=ABOUT)
ASK = allow(RESIDENT, PersonNotFound, closures.ClosurePending, LastAdministrator, once=True)


@router.delete("/me", operation_id="closeMyAccount", **ASK)
async def close_my_account(tx: Tx, person_id: CurrentPerson) -> ClosureOut:
    """Ask for the account to be closed in 15 days; until then it works, and can be kept.

    Then the caller's data are erased, logins end and unspent points are lost. Transfers of points
    stay under a pseudonym.
    """
    return await closures.ask(tx, person_id)


@router.get("/me/closure", operation_id="getMyClosure", **allow(RESIDENT, closures.ClosureNotFound))
async def get_my_closure(tx: Reader, person_id: CurrentPerson) -> ClosureOut:
    """Return when the caller's account will be closed."""
    return await closures.mine(tx, person_id)


@router.post(
    "/me/reopening",
    status_code=204,
    operation_id="keepMyAccount",
    **allow(RESIDENT, closures.ClosureNotFound, closures.ConsentMissing, once=True),
)
async def keep_my_account(tx: Tx, person_id: CurrentPerson) -> None:
    """Keep the account: nothing is erased. What was withdrawn has to be agreed to again first."""
    await closures.keep(tx, person_id)

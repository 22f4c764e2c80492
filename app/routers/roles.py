"""Roles (任职): given, listed and ended by administrators; left by who holds one."""

from typing import Annotated

from fastapi import Query, Response

from app.api import exports
from app.api.access import ADMINISTRATOR, AUDITOR, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CARD_GUESS, Guess
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.people import Role
from app.queries.roles import RoleFilter
from app.schemas.base import Id, OneLine
from app.schemas.roles import RoleHolderOut, RoleIn
from app.services import roles
from app.services.merchants.access import MerchantNotFound
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.people import PersonMerged, PersonNotFound
from app.services.roles import LastAdministrator, OwnRole, PersonSuspended, RoleHeld, RoleNotFound

ABOUT = Bilingual("任职：授予、查询与解除", "Roles: giving, listing and ending them")
router = Router(tags=["roles"], about=ABOUT)
GIVE = (
    OrgNotFound,
    MerchantNotFound,
    OrgClosed,
    PersonNotFound,
    PersonMerged,
    OwnRole,
    PersonSuspended,
    RoleHeld,
)
ReasonQuery = Annotated[
    str, OneLine(200), Query(description="Why the role ends. It stands in the audit trail.")
]


@router.get("/roles", operation_id="listRoles", **allow(AUDITOR, OrgNotFound))
async def list_roles(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    role: Annotated[Role | None, Query(description="Only this role.")] = None,
    holder: Annotated[Id | None, Query(description="A person's id.")] = None,
    merchant_id: Annotated[Id | None, Query(description="Only of this merchant.")] = None,
) -> Page[RoleHolderOut]:
    """Return the roles of an organisation, its subtree and their merchants, newest first."""
    wanted = RoleFilter(role, holder, merchant_id)
    return await roles.browse(tx, person_id, org_id, wanted, page)


exports.beside(router, list_roles, Bilingual("任职名单", "Roles"))


@router.post(
    "/roles",
    status_code=201,
    operation_id="giveRole",
    **allow(ADMINISTRATOR, *GIVE, body=True, once=True, guess=Guess(CARD_GUESS, PersonNotFound)),
)
@leads_to("endRole", {"role_id": "id"})
async def give_role(body: RoleIn, tx: Tx, person_id: CurrentPerson) -> RoleHolderOut:
    """Give a role at an organisation or a merchant to somebody else, named by card number or id."""
    return await roles.give(tx, person_id, body)


@router.delete(
    "/roles/{role_id}",
    status_code=204,
    operation_id="endRole",
    **allow(ADMINISTRATOR, RoleNotFound, OwnRole, LastAdministrator),
)
async def end_role(
    role_id: PathId, tx: Tx, person_id: CurrentPerson, reason: ReasonQuery
) -> Response:
    """Take somebody's role away. It stops at once: no access depends on a token's age."""
    await roles.end(tx, person_id, role_id, reason)
    return Response(status_code=204)


@router.delete(
    "/me/roles/{role_id}",
    status_code=204,
    operation_id="leaveRole",
    **allow(RESIDENT, RoleNotFound, LastAdministrator),
)
async def leave_role(role_id: PathId, tx: Tx, person_id: CurrentPerson) -> Response:
    """Leave an office of the caller's own."""
    await roles.leave(tx, person_id, role_id)
    return Response(status_code=204)

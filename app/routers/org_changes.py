"""Changes to the organisation tree."""

from app.api.access import ADMINISTRATOR, allow
from app.api.deps import CurrentPerson, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.org_changes import OrgContactIn, OrgIn, OrgMoveIn, OrgNameIn, OrgReasonIn
from app.schemas.orgs import OrgOut
from app.services import org_changes
from app.services.org_changes import BelowItself, CodeTaken, OrgInUse, OrgOpen
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "组织调整：新建、更名、移动与撤销",
    "Changes to organisations: creating, renaming, moving, closing",
)
router = Router(prefix="/orgs", tags=["org_changes"], about=ABOUT)
CHANGE = (OrgNotFound, OrgClosed)


@router.post(
    "",
    status_code=201,
    operation_id="createOrg",
    **allow(ADMINISTRATOR, *CHANGE, CodeTaken, body=True, once=True),
)
@leads_to("renameOrg", {"org_id": "id"})
async def create_org(body: OrgIn, tx: Tx, person_id: CurrentPerson) -> OrgOut:
    """Create an organisation below one that the caller administers."""
    return await org_changes.create(tx, person_id, body)


@router.put("/{org_id}", operation_id="renameOrg", **allow(ADMINISTRATOR, *CHANGE, body=True))
async def rename_org(org_id: PathId, body: OrgNameIn, tx: Tx, person_id: CurrentPerson) -> OrgOut:
    """Rename an organisation."""
    return await org_changes.rename(tx, person_id, org_id, body.name)


@router.put(
    "/{org_id}/contact", operation_id="setOrgContact", **allow(ADMINISTRATOR, *CHANGE, body=True)
)
async def set_org_contact(
    org_id: PathId, body: OrgContactIn, tx: Tx, person_id: CurrentPerson
) -> OrgOut:
    """Set how residents reach an organisation, and those below it that have no contact."""
    return await org_changes.set_contact(tx, person_id, org_id, body)


@router.post(
    "/{org_id}/move",
    operation_id="moveOrg",
    **allow(ADMINISTRATOR, *CHANGE, BelowItself, body=True, once=True),
)
async def move_org(org_id: PathId, body: OrgMoveIn, tx: Tx, person_id: CurrentPerson) -> OrgOut:
    """Move an organisation and its subtree; the caller administers both places above it."""
    return await org_changes.move(tx, person_id, org_id, body.parent_id, body.reason)


@router.post(
    "/{org_id}/closure",
    operation_id="closeOrg",
    **allow(ADMINISTRATOR, *CHANGE, OrgInUse, body=True, once=True),
)
async def close_org(org_id: PathId, body: OrgReasonIn, tx: Tx, person_id: CurrentPerson) -> OrgOut:
    """Close an organisation: it takes no new activities, roles or organisations."""
    return await org_changes.close(tx, person_id, org_id, body.reason)


@router.post(
    "/{org_id}/reopening",
    operation_id="reopenOrg",
    **allow(ADMINISTRATOR, *CHANGE, OrgOpen, body=True, once=True),
)
async def reopen_org(org_id: PathId, body: OrgReasonIn, tx: Tx, person_id: CurrentPerson) -> OrgOut:
    """Open a closed organisation again."""
    return await org_changes.reopen(tx, person_id, org_id, body.reason)

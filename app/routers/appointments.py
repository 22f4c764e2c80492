"""Appointments by code (任命码)."""

from app.api import exports
from app.api.access import ADMINISTRATOR, AUDITOR, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CODE_GUESS, Guess
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.appointments import (
    AcceptanceIn,
    AppointmentCaseOut,
    AppointmentOut,
    OfferOut,
)
from app.schemas.base import Id
from app.schemas.roles import RoleHolderOut, TermIn
from app.services import appointments
from app.services.appointments import (
    AppointmentAccepted,
    AppointmentCodeInvalid,
    AppointmentExpired,
)
from app.services.merchants.access import MerchantNotFound
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.roles import OwnRole, PersonSuspended, RoleHeld

ABOUT = Bilingual(
    "任命码：管理员出示（店员的也可由商户出示），本人扫码就任",
    "Appointments: an administrator, or a merchant for its staff, shows a code; the person accepts",
)
router = Router(tags=["appointments"], about=ABOUT)
CODE = (AppointmentCodeInvalid, AppointmentExpired, AppointmentAccepted)
ACCEPT = (*CODE, OwnRole, PersonSuspended, RoleHeld, OrgClosed)


@router.post(
    "/appointments",
    status_code=201,
    operation_id="offerAppointment",
    **allow(
        ADMINISTRATOR,
        OrgNotFound,
        MerchantNotFound,
        OrgClosed,
        body=True,
        once=True,
        seals=True,
    ),
)
@leads_to("acceptAppointment", {"body.code": "code"})
@no_store
async def offer_appointment(body: TermIn, tx: Tx, person_id: CurrentPerson) -> AppointmentOut:
    """Make a code for a role; the person who enters it within 10 minutes gets the role."""
    return await appointments.offer(tx, person_id, body)


@router.post(
    "/appointments/preview",
    operation_id="previewAppointment",
    **allow(RESIDENT, *CODE, OrgClosed, body=True, guess=Guess(CODE_GUESS, AppointmentCodeInvalid)),
)
async def preview_appointment(body: AcceptanceIn, tx: Tx) -> OfferOut:
    """Return what a code appoints to, for the person to accept or not. Nothing is changed."""
    return await appointments.look_up(tx, body.code)


@router.post(
    "/appointments/acceptance",
    status_code=201,
    operation_id="acceptAppointment",
    **allow(
        RESIDENT, *ACCEPT, body=True, once=True, guess=Guess(CODE_GUESS, AppointmentCodeInvalid)
    ),
)
@leads_to("leaveRole", {"role_id": "id"})
async def accept_appointment(body: AcceptanceIn, tx: Tx, person_id: CurrentPerson) -> RoleHolderOut:
    """Accept the role of a code that somebody else shows."""
    return await appointments.accept(tx, person_id, body.code)


@router.get("/appointments", operation_id="listAppointments", **allow(AUDITOR, OrgNotFound))
async def list_appointments(
    tx: Reader, person_id: CurrentPerson, page: PageQuery, org_id: Id
) -> Page[AppointmentCaseOut]:
    """Return what was offered by code in a subtree, and who accepted it, newest first."""
    return await appointments.browse(tx, person_id, org_id, page)


exports.beside(router, list_appointments, Bilingual("任命记录", "Appointments"))

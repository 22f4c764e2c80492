"""Verifications of the ledger (账目核对), for administrators and auditors of a root."""

from app.api import exports
from app.api.access import AUDITOR, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.verifications import VerificationOut
from app.services import verifications
from app.services.verifications import VerificationActive, VerificationNotFound

ABOUT = Bilingual(
    "账目核对：重新计算全部余额、序号、批次与封存",
    "Verifications: all balances, numbers, lots, facts and seals are recomputed",
)
router = Router(prefix="/ledger/verifications", tags=["verifications"], about=ABOUT)


@router.post(
    "",
    status_code=202,
    operation_id="startVerification",
    **allow(AUDITOR, VerificationActive, once=True),
)
@leads_to("getVerification", {"verification_id": "id"})
async def start_verification(tx: Tx, person_id: CurrentPerson) -> VerificationOut:
    """Ask for a verification of the whole ledger; a worker runs it. One at a time.

    For administrators and auditors of an organisation that has none above it.
    """
    return await verifications.start(tx, person_id)


@router.get("", operation_id="listVerifications", **allow(AUDITOR))
async def list_verifications(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[VerificationOut]:
    """Return the verifications of the last two years, newest first."""
    return await verifications.browse(tx, person_id, page)


exports.beside(
    router, list_verifications, Bilingual("账本校验", "Verifications"), org=exports.of_service
)


@router.get(
    "/{verification_id}",
    operation_id="getVerification",
    **allow(AUDITOR, VerificationNotFound),
)
async def get_verification(
    verification_id: PathId, tx: Reader, person_id: CurrentPerson
) -> VerificationOut:
    """Return a verification: how far it is, or its result."""
    return await verifications.read(tx, person_id, verification_id)

"""Consents to the texts of the service."""

from app.api import exports
from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import Cipher, CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.consents import ConsentIn, ConsentOut, ConsentTextsOut
from app.services import consents
from app.services.people import PersonNotFound
from app.services.roles import LastAdministrator

ABOUT = Bilingual(
    "同意记录：隐私政策、用户协议、监护人同意",
    "Consents: privacy policy, terms of use, a guardian's consent",
)
router = Router(tags=["consents"], about=ABOUT)
RECORD = allow(
    RESIDENT,
    PersonNotFound,
    consents.TextOutdated,
    consents.NotGiven,
    LastAdministrator,
    body=True,
    once=True,
)


@router.get("/consent-texts", operation_id="listConsentTexts", **allow(ANYONE))
async def list_consent_texts() -> ConsentTextsOut:
    """Return the texts in force, with the versions that a consent names."""
    return consents.texts_in_force()


@router.get("/me/consents", operation_id="listMyConsents", **allow(RESIDENT))
async def list_my_consents(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[ConsentOut]:
    """Return what the caller agreed to and withdrew, newest first."""
    return await consents.mine(tx, person_id, page)


exports.beside(router, list_my_consents, Bilingual("我的同意记录", "My consents"))


@router.put("/me/consents", operation_id="recordMyConsent", **RECORD)
async def record_my_consent(
    body: ConsentIn, tx: Tx, cipher: Cipher, person_id: CurrentPerson
) -> ConsentOut:
    """Agree to the version in force of a text, or withdraw that.

    Without consent nothing may be processed: a withdrawal closes the account in 15 days, until
    which it can be kept. The last administrator of a root appoints another one first.
    """
    return await consents.record(tx, cipher, person_id, body)

"""Certificates of volunteer hours (志愿服务证明)."""

from asyncio import to_thread
from io import BytesIO
from typing import Annotated

from fastapi import Path, Response

from app.api import exports
from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, PublicUrl, Reader, Tx
from app.api.downloads import Download
from app.api.operations import leads_to
from app.api.routes import API, Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.certificates import CertificateCheckOut, CertificateIn, CertificateOut
from app.services.activities import ActivityNotFound
from app.services.certificates import drawing, issuing, series
from app.services.certificates.issuing import CertificateNotFound, NameUnconfirmed, NoHours
from app.services.certificates.series import SeriesIncomplete
from app.services.people import PersonNotFound

ABOUT = Bilingual("志愿服务证明：开具与验证", "Certificates of volunteer hours: issued, checked")
router = Router(tags=["certificates"], about=ABOUT)
MINE, CHECKS = "/me/certificates", "/certificates"
ISSUE = allow(RESIDENT, PersonNotFound, NameUnconfirmed, NoHours, body=True, once=True)


class Pdf(Download):
    media_type, suffix = "application/pdf", ".pdf"


@router.post(MINE, status_code=201, operation_id="issueMyCertificate", **ISSUE)
@leads_to("getMyCertificateFile", {"certificate_id": "id"})
@leads_to("checkCertificate", {"code": "code"})
async def issue_my_certificate(
    body: CertificateIn, tx: Tx, person_id: CurrentPerson
) -> CertificateOut:
    """Issue a certificate of the caller's hours, under the name that an organizer confirmed."""
    return await issuing.issue(tx, person_id, body)


@router.post(
    "/activities/{activity_id}/series-certificates",
    status_code=201,
    operation_id="issueSeriesCertificate",
    **allow(
        RESIDENT,
        ActivityNotFound,
        PersonNotFound,
        NameUnconfirmed,
        SeriesIncomplete,
        body=True,
        once=True,
    ),
)
@leads_to("getMyCertificateFile", {"certificate_id": "id"})
@leads_to("checkCertificate", {"code": "code"})
async def issue_series_certificate(
    activity_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> CertificateOut:
    """Issue a certificate of a series of which the caller attended enough sessions."""
    return await series.issue(tx, person_id, activity_id)


@router.get(MINE, operation_id="listMyCertificates", **allow(RESIDENT))
async def list_my_certificates(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[CertificateOut]:
    """Return the caller's certificates, newest first."""
    return await issuing.mine(tx, person_id, page)


exports.beside(router, list_my_certificates, Bilingual("我的证明", "My certificates"))


@router.get(
    MINE + "/hours.pdf",
    operation_id="getMyCertificateOfHours",
    response_class=Pdf,
    **allow(RESIDENT, PersonNotFound, NameUnconfirmed, NoHours),
)
async def get_my_certificate_of_hours(
    tx: Tx, person_id: CurrentPerson, public_url: PublicUrl
) -> Response:
    """Return the certificate of all of the caller's hours as PDF; issue one if hours were added."""
    found = await issuing.current(tx, person_id)
    return await _drawn(await issuing.sheet(tx, person_id, found.id), public_url)


@router.get(
    MINE + "/{certificate_id}/file",
    operation_id="getMyCertificateFile",
    response_class=Pdf,
    **allow(RESIDENT, CertificateNotFound),
)
async def get_my_certificate_file(
    certificate_id: PathId, tx: Reader, person_id: CurrentPerson, public_url: PublicUrl
) -> Response:
    """Return a certificate as PDF, with a QR code of the address that checks it."""
    return await _drawn(await issuing.sheet(tx, person_id, certificate_id), public_url)


async def _drawn(sheet: issuing.Sheet, public_url: str | None) -> Response:
    url = f"{public_url or ''}{API}{CHECKS}/{sheet.certificate.code}"
    name = f"{drawing.title_of(sheet)}_{sheet.certificate.until}"
    pdf = await to_thread(drawing.draw, sheet, url)
    return Pdf(BytesIO(pdf), name, f"certificate_{sheet.certificate.until}")


@router.get(
    CHECKS + "/{code}", operation_id="checkCertificate", **allow(ANYONE, CertificateNotFound)
)
async def check_certificate(
    code: Annotated[str, Path(max_length=40, description="Code of the certificate.")], tx: Reader
) -> CertificateCheckOut:
    """Tell anybody what a certificate says, with a masked name, and whether it still holds."""
    return await issuing.check(tx, code)

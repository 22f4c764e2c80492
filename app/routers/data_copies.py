"""Copies of one's data (个人信息副本)."""

from io import BytesIO

from fastapi import Response

from app.api.access import ANYONE, RESIDENT, allow
from app.api.deps import CurrentPerson, ExpiresQuery, Links, Reader, SignatureQuery, Tx
from app.api.downloads import Download
from app.api.operations import no_store
from app.api.routes import Router
from app.core.clock import local_date, now
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.data_copies import DataCopiesOut, DataCopyOut
from app.services import data_copies
from app.services.people import PersonNotFound

ABOUT = Bilingual("个人信息副本：申请与下载", "Copies of one's data: asking and downloading")
router = Router(tags=["data_copies"], about=ABOUT)
PATH = "/me/exports"
ASK = allow(RESIDENT, PersonNotFound, data_copies.DataCopyExists, once=True)


class Archive(Download):
    media_type, suffix = "application/zip", ".zip"


@router.post(PATH, status_code=201, operation_id="copyMyData", **ASK)
@no_store
async def copy_my_data(tx: Tx, links: Links, person_id: CurrentPerson) -> DataCopyOut:
    """Ask for a copy of all that is kept of the caller; a notice tells when it is ready.

    It is deleted after a day; until then there is no other.
    """
    return await data_copies.ask(tx, links, person_id)


@router.get(PATH, operation_id="listMyDataCopies", **allow(RESIDENT))
@no_store
async def list_my_data_copies(tx: Reader, links: Links, person_id: CurrentPerson) -> DataCopiesOut:
    """Return the caller's copy, with a new link that opens it for 5 minutes."""
    return await data_copies.mine(tx, links, person_id)


@router.get(
    "/data-copies/{data_copy_id}/file",
    operation_id="getDataCopyFile",
    response_class=Archive,
    **allow(ANYONE, data_copies.DataCopyNotFound),
)
async def get_data_copy_file(
    data_copy_id: PathId,
    tx: Reader,
    links: Links,
    expires: ExpiresQuery = 0,
    signature: SignatureQuery = "",
) -> Response:
    """Return the zip to who has the link: JSON, XLSX and files. No login, for a web-view."""
    content = await data_copies.opened(tx, links, data_copy_id, expires, signature)
    day = local_date(now())
    return Archive(BytesIO(content), f"个人信息副本_{day}", f"my_data_{day}")

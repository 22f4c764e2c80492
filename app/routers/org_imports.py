"""Imports of divisions below an organisation."""

from asyncio import to_thread
from typing import Annotated

from fastapi import Depends, File, Form, Request, UploadFile

from app.api.access import ADMINISTRATOR, allow
from app.api.context import runtime_of
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.xlsx import reader
from app.core.xlsx.guard import SheetNotPlain, SheetTooLarge, SheetUnreadable
from app.schemas.base import STREET, Id
from app.schemas.org_imports import Digest, OrgImportDoneOut, OrgImportOut
from app.services import org_imports
from app.services.org_imports import Line, OtherChanges, RowsWrong, WrongColumns
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual(
    "组织导入：先预览差异，再导入行政区划",
    "Imports of divisions: a preview of the difference, then the import",
)
router = Router(prefix="/orgs/imports", tags=["org_imports"], about=ABOUT)
MAX_BYTES = reader.MAX_FILE_BYTES + 16 * 1024  # the file and the other parts of the form
FILE = (SheetUnreadable, SheetTooLarge, SheetNotPlain, WrongColumns, RowsWrong)


OrgField = Annotated[
    Id, Form(description="Id of the organisation whose divisions they are.", examples=[STREET])
]
DivisionsFile = Annotated[
    UploadFile, File(description="CSV or XLSX with the columns of the operation.")
]


async def _uploaded(request: Request, file: DivisionsFile) -> list[Line]:
    runtime, once = runtime_of(request), getattr(request.state, "once", None)
    if once is not None:
        await once.replay(runtime.database)
    async with runtime.sheets:
        await file.seek(0)  # a retry after a deadlock has read it before
        return await to_thread(org_imports.read, await file.read())


# Read before the transaction begins: parsing takes a second and must not hold a connection.
UploadedLines = Annotated[list[Line], Depends(_uploaded)]


@router.post(
    "/preview",
    operation_id="previewOrgImport",
    max_body_size=MAX_BYTES,
    **allow(ADMINISTRATOR, OrgNotFound, *FILE, body=True),
)
async def preview_org_import(
    org_id: OrgField, lines: UploadedLines, tx: Reader, person_id: CurrentPerson
) -> OrgImportOut:
    """Return what a CSV or XLSX of divisions would change below an organisation.

    Columns: `code`, `name`, `parent_code`, `level` (city, district, street, community); at most
    2,000 rows. Nothing is changed, and nothing is ever deleted by an import.
    """
    return await org_imports.preview(tx, person_id, org_id, lines)


@router.post(
    "",
    status_code=201,
    operation_id="importOrgs",
    max_body_size=MAX_BYTES,
    **allow(ADMINISTRATOR, OrgNotFound, OrgClosed, *FILE, OtherChanges, body=True, once=True),
)
@leads_to("getJob", {"job_id": "id"})
async def import_orgs(
    org_id: OrgField,
    lines: UploadedLines,
    digest: Annotated[Digest, Form(examples=["0" * 64])],
    tx: Tx,
    person_id: CurrentPerson,
) -> OrgImportDoneOut:
    """Make the changes of a preview: the same file, and the digest of its preview.

    Done when it answers; `getJob` tells so again.
    """
    return await org_imports.apply(tx, person_id, org_id, lines, digest)

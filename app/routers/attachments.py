"""Attachments: pictures and documents of activities, rewards, merchants, awards and receipts."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, File, Form, Query, Request, Response, UploadFile
from pydantic import AfterValidator, WithJsonSchema

from app.api.access import ANYONE, RESIDENT, allow
from app.api.bodies import Fields
from app.api.context import caller_of, person_of, runtime_of
from app.api.deps import (
    Caller,
    CurrentPerson,
    ExpiresQuery,
    PageQuery,
    SignatureQuery,
    StaleReader,
    Tx,
)
from app.api.idempotency import Once
from app.api.operations import leads_to
from app.api.routes import Router, has_tag
from app.core.clock import now
from app.core.errors import Refusal, unwrap
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.core.ratelimit import Limit
from app.integrations.storage import ObjectMissing, StoreUnavailable
from app.schemas.attachments import AttachmentOut
from app.schemas.base import Id
from app.services.attachments import content, reading, storing, subjects
from app.services.attachments.content import FileTooLarge, PictureUnreadable, TypeNotAllowed
from app.services.attachments.reading import AttachmentNotFound, StoredFile
from app.services.attachments.storing import AttachmentsClosed, TooManyAttachments, Upload
from app.services.attachments.subjects import SubjectNotFound, SubjectRef
from app.services.people import Forbidden

log = structlog.get_logger(__name__)
ABOUT = Bilingual(
    "附件：活动、商品、商户、积分记录与收入记录的图片和文件",
    "Attachments: pictures and documents of activities, rewards, merchants, awards and receipts",
)
router = Router(tags=["attachments"], about=ABOUT)
MAX_UPLOAD_BYTES = content.MAX_BYTES + 16 * 1024  # the file and the other parts of the form
# An upload costs memory and seconds of CPU. A form with nine pictures sends them at once.
UPLOADS = Limit("upload", burst=30, per_second=0.5)
A_YEAR = "max-age=31536000, immutable"
SubjectType = Annotated[
    str,
    AfterValidator(subjects.known),
    WithJsonSchema({"type": "string", "enum": sorted(subjects.registry())}),
]


async def _may_attach(request: Request, fields: Fields) -> None:
    """Refuse who may not attach, before the file is read.

    Not under a known key, whose reply is replayed when all is read. Raises SubjectNotFound,
    Forbidden, KeyMissing, KeyMalformed.
    """
    try:
        noun = subjects.known(fields.get("subject_type", ""))
        subject = SubjectRef(noun, UUID(fields.get("subject_id", "")))
    except ValueError:  # the field is named when all is read
        return
    database = runtime_of(request).database
    if await Once(request).is_known(database):
        return
    async with database.read() as tx:
        await storing.require_right(tx, person_of(request), subject)


UPLOADER = replace(RESIDENT, limit=UPLOADS, look=_may_attach)


def _serves_file() -> dict[str, Any]:
    """Declare a public route that returns the bytes of an attachment."""
    declared = allow(ANYONE, AttachmentNotFound, StoreUnavailable)
    binary = {"schema": {"type": "string", "format": "binary"}}
    tag = {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}
    declared["openapi_extra"]["responses"] = {
        "200": {"content": dict.fromkeys(content.CONTENT_TYPES, binary), **tag},
        "304": {"description": "Not changed.", **tag},
    }
    return declared


async def _uploaded(
    request: Request,
    subject_type: Annotated[
        SubjectType, Form(description="What it belongs to: a noun.", examples=["merchant"])
    ],
    subject_id: Annotated[
        Id,
        Form(description="Id of the subject.", examples=["01900000-0000-7002-8000-000000000001"]),
    ],
    file: Annotated[UploadFile, File(description="The picture or PDF, at most 5 MB.")],
) -> AsyncIterator[Upload | Refusal]:
    """Store a file before the transaction that writes its row; remove it if there is no row.

    Yields a refusal, which the handler raises in the transaction: so it is kept as the key's
    reply, if it is final.
    """
    runtime = runtime_of(request)
    await request.state.once.replay(runtime.database)
    try:
        upload = await _stored(request, SubjectRef(subject_type, subject_id), file)
    except Refusal as refusal:
        yield refusal
    else:
        yield upload  # after an error of the transaction, nothing below runs: it may have committed
        await storing.remove_refused(runtime.database, runtime.store, upload)


async def _stored(request: Request, subject: SubjectRef, file: UploadFile) -> Upload:
    """Check, convert and store a file, without holding a connection."""
    runtime = runtime_of(request)
    async with runtime.database.read() as tx:
        await storing.require_room(tx, person_of(request), subject)
    content.require_at_most(content.MAX_BYTES, file.size or 0, "bytes")
    await file.seek(0)  # it has been read for the digest of the request
    async with runtime.pictures:
        prepared = await to_thread(content.prepare, await file.read())
    is_checked = runtime.settings.checks_pictures
    return await storing.put(runtime.store, subject, prepared, is_checked=is_checked)


async def _served(
    request: Request,
    attachment_id: UUID,
    *,
    thumbnail: bool = False,
    expires: int = 0,
    signature: str = "",
) -> Response:
    """Return the bytes of an attachment, which are read without holding a connection."""
    runtime, caller = runtime_of(request), caller_of(request)
    name, at = str(attachment_id), now().timestamp()
    async with runtime.database.read() as tx:
        if runtime.links.allows(name, expires, signature, at):
            file = await reading.linked_file(tx, attachment_id)
        else:
            file = await reading.file(tx, caller, attachment_id, thumbnail=thumbnail)
    headers = _headers(file)
    if has_tag(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        body = await runtime.store.get(file.key)
    except ObjectMissing:
        log.error("attachment_lost", alert=True, key=file.key)  # noqa: TRY400
        raise AttachmentNotFound from None
    return Response(body, headers=headers, media_type=file.content_type)


def _headers(file: StoredFile) -> dict[str, str]:
    """Return headers that allow caching without end and forbid active content.

    A PDF is sent as a download, because a browser's viewer could run its scripts.
    """
    suffix = content.SUFFIXES[file.content_type]
    disposition = "inline" if suffix != ".pdf" else "attachment"
    return {
        "Cache-Control": f"{'public' if file.is_public else 'private'}, {A_YEAR}",
        "ETag": f'"{file.tag}"',
        "Content-Disposition": f'{disposition}; filename="{file.key}{suffix}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


@router.post(
    "/attachments",
    status_code=201,
    operation_id="uploadAttachment",
    max_body_size=MAX_UPLOAD_BYTES,
    **allow(
        UPLOADER,
        SubjectNotFound,
        Forbidden,
        AttachmentsClosed,
        TooManyAttachments,
        FileTooLarge,
        TypeNotAllowed,
        PictureUnreadable,
        StoreUnavailable,
        body=True,
        once=True,
    ),
)
@leads_to("deleteAttachment", {"attachment_id": "id"})
@leads_to("getAttachment", {"attachment_id": "id"})
async def upload_attachment(
    upload: Annotated[Upload | Refusal, Depends(_uploaded, scope="function")],
    tx: Tx,
    person_id: CurrentPerson,
) -> AttachmentOut:
    """Attach one file of at most 5 MB: a JPEG, PNG, WebP, GIF (its first frame) or PDF.

    Pictures are re-encoded without EXIF, at most 2,560 pixels wide and high.
    """
    return await storing.attach(tx, person_id, unwrap([upload]))


@router.get("/attachments", operation_id="listAttachments", **allow(ANYONE, SubjectNotFound))
async def list_attachments(
    tx: StaleReader,
    caller: Caller,
    page: PageQuery,
    subject_type: Annotated[SubjectType, Query(description="What they belong to: a noun.")],
    subject_id: Annotated[Id, Query(description="Id of the subject.")],
) -> Page[AttachmentOut]:
    """Return the attachments of a subject that the caller may read, newest first."""
    return await reading.browse(tx, caller, SubjectRef(subject_type, subject_id), page)


@router.get(
    "/attachments/{attachment_id}",
    operation_id="getAttachment",
    **allow(ANYONE, AttachmentNotFound),
)
async def get_attachment(attachment_id: PathId, tx: StaleReader, caller: Caller) -> AttachmentOut:
    """Return the metadata of an attachment, without its bytes."""
    return await reading.get(tx, caller, attachment_id)


@router.get(
    "/attachments/{attachment_id}/file",
    operation_id="getAttachmentFile",
    response_class=Response,
    **_serves_file(),
)
async def get_attachment_file(
    request: Request,
    attachment_id: PathId,
    expires: ExpiresQuery = 0,
    signature: SignatureQuery = "",
) -> Response:
    """Return the bytes. They never change; caches may keep them for a year.

    WeChat, which has no login, uses a link with `expires` and a `signature` to check a picture.
    """
    return await _served(request, attachment_id, expires=expires, signature=signature)


@router.get(
    "/attachments/{attachment_id}/thumbnail",
    operation_id="getAttachmentThumbnail",
    response_class=Response,
    **_serves_file(),
)
async def get_attachment_thumbnail(request: Request, attachment_id: PathId) -> Response:
    """Return the picture scaled to at most 480 pixels; a PDF has no thumbnail."""
    return await _served(request, attachment_id, thumbnail=True)


@router.delete(
    "/attachments/{attachment_id}",
    status_code=204,
    operation_id="deleteAttachment",
    **allow(RESIDENT, AttachmentNotFound, Forbidden, AttachmentsClosed, once=True),
)
async def delete_attachment(attachment_id: PathId, tx: Tx, person_id: CurrentPerson) -> None:
    """Delete an attachment that the caller uploaded, or whose subject the caller manages."""
    await storing.remove(tx, person_id, attachment_id)

"""Reading attachments: who may is the rule of their subject."""

from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.attachments import Attachment, AttachmentKind, AttachmentState
from app.queries import attachments as queries
from app.queries import records as record_queries
from app.schemas.attachments import AttachmentOut
from app.services.attachments import subjects
from app.services.attachments.subjects import Access, SubjectRef


class AttachmentNotFound(Refusal):
    code, status, title = "attachments.not_found", 404, "No such attachment"
    zh, en = "附件不存在", "There is no such attachment."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Which bytes to serve, and how. ``is_public``: shared caches may keep them."""

    key: str
    content_type: str
    tag: str
    is_public: bool


async def browse(
    tx: Session, caller: UUID | None, subject: SubjectRef, asked: PageParams
) -> Page[AttachmentOut]:
    """Return the attachments of a subject, newest first. Raises SubjectNotFound."""
    access = await subjects.access_to(tx, caller, subject)
    query = queries.of_subject(*subject, viewer=caller, hidden_too=access.manages)
    return await by_id(
        asked,
        lambda before, limit: record_queries.page(tx, query, Attachment, before, limit),
        AttachmentOut.of,
    )


async def get(tx: Session, caller: UUID | None, attachment_id: UUID) -> AttachmentOut:
    """Return what is known of an attachment. Raises AttachmentNotFound."""
    attachment, _ = await visible(tx, caller, attachment_id)
    return AttachmentOut.of(attachment)


async def file(
    tx: Session, caller: UUID | None, attachment_id: UUID, *, thumbnail: bool
) -> StoredFile:
    """Return where the bytes are. Raises AttachmentNotFound, also for a PDF's thumbnail."""
    attachment, access = await visible(tx, caller, attachment_id)
    is_public = access.is_public and attachment.state == AttachmentState.ready
    return _stored_file(attachment, is_public=is_public, thumbnail=thumbnail)


async def linked_file(tx: Session, attachment_id: UUID) -> StoredFile:
    """Return where the bytes are, for the reader of a signed link. Raises AttachmentNotFound."""
    attachment = await record_queries.find(tx, Attachment, attachment_id)
    if attachment is None:
        raise AttachmentNotFound
    return _stored_file(attachment, is_public=False, thumbnail=False)


def _stored_file(attachment: Attachment, *, is_public: bool, thumbnail: bool) -> StoredFile:
    has_none = thumbnail and attachment.kind != AttachmentKind.picture
    if has_none or attachment.state == AttachmentState.blocked:
        raise AttachmentNotFound
    return StoredFile(
        key=keys_of(attachment.id)[thumbnail],
        content_type=attachment.content_type,
        tag=attachment.sha256[:32] + ("-thumbnail" if thumbnail else ""),
        is_public=is_public,
    )


async def visible(
    tx: Session, caller: UUID | None, attachment_id: UUID
) -> tuple[Attachment, Access]:
    """Return an attachment that the caller may see, and the rights to its subject.

    Raises AttachmentNotFound.
    """
    attachment = await record_queries.find(tx, Attachment, attachment_id)
    if attachment is None:
        raise AttachmentNotFound
    return attachment, await access_to(tx, caller, attachment)


async def access_to(tx: Session, caller: UUID | None, attachment: Attachment) -> Access:
    """Return the caller's rights to an attachment's subject.

    One that is not ready is seen by its uploader and by who manages the subject alone. Raises
    AttachmentNotFound.
    """
    try:
        access = await subjects.access_to(tx, caller, subject_of(attachment))
    except subjects.SubjectNotFound:
        raise AttachmentNotFound from None
    if attachment.state == AttachmentState.ready or access.manages:
        return access
    if caller is None or attachment.created_by != caller:
        raise AttachmentNotFound
    return access


def subject_of(attachment: Attachment) -> SubjectRef:
    return SubjectRef(attachment.subject_type, attachment.subject_id)


def keys_of(attachment_id: UUID) -> tuple[str, str]:
    """Return the keys of the file and of its thumbnail in the store."""
    return str(attachment_id), f"{attachment_id}.thumbnail"

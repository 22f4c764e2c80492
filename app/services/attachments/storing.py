"""Adding and removing attachments.

The bytes are stored first, under a random id, and the row is written afterwards: a row always has
its bytes. Bytes whose row was refused are removed at once; those of uploads that failed in between
after a day.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import structlog

from app.core.clock import now
from app.core.db import Database, Session
from app.core.errors import Busy, Refusal
from app.core.ids import new_id
from app.integrations.storage import Store, StoreUnavailable
from app.models.attachments import Attachment, AttachmentKind, AttachmentState
from app.queries import attachments as queries
from app.queries import outbox
from app.queries import records as record_queries
from app.schemas.attachments import AttachmentOut
from app.services import audit, people
from app.services.attachments import subjects
from app.services.attachments.content import Content
from app.services.attachments.reading import AttachmentNotFound, access_to, keys_of, subject_of
from app.services.attachments.subjects import Access, SubjectRef

log = structlog.get_logger(__name__)
CHECK, REMOVED = "attachments.check", "attachments.removed"  # topics of the outbox


class TooManyAttachments(Refusal):
    code, status, title = "attachments.too_many", 409, "Too many attachments"
    zh, en = "附件数量已达上限", "It has as many attachments as it may have."
    fact_names = ("limit", "used")


class AttachmentsClosed(Refusal):
    code, status, title = "attachments.closed", 409, "Closed to changes"
    zh, en = (
        "该记录已开始审核或已办结，附件不能再增删",
        "It is under review or decided, so its attachments stay as they are.",
    )


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in the store that has no row yet. ``is_checked``: WeChat looks at pictures first."""

    id: UUID
    subject: SubjectRef
    content: Content
    is_checked: bool


async def require_right(tx: Session, caller: UUID, subject: SubjectRef) -> Access:
    """Return the caller's rights, if they may attach.

    Raises SubjectNotFound, AttachmentsClosed, Forbidden.
    """
    access = await subjects.access_to(tx, caller, subject)
    if access.is_closed:
        raise AttachmentsClosed
    if not access.attaches:
        raise people.Forbidden
    return access


async def require_room(tx: Session, caller: UUID, subject: SubjectRef) -> Access:
    """Return the caller's rights, if another attachment may be added.

    Raises SubjectNotFound, AttachmentsClosed, Forbidden, TooManyAttachments.
    """
    access = await require_right(tx, caller, subject)
    most = subjects.declaration_of(subject.type).most
    used = await queries.count(tx, *subject)
    if used >= most:
        raise TooManyAttachments(limit=most, used=used)
    return access


async def put(store: Store, subject: SubjectRef, content: Content, *, is_checked: bool) -> Upload:
    """Put a file and its thumbnail into the store. Raises StoreUnavailable."""
    upload = Upload(new_id(), subject, content, is_checked)
    key, thumbnail_key = keys_of(upload.id)
    await store.put(key, content.body, content.content_type)
    if content.thumbnail is not None:
        await store.put(thumbnail_key, content.thumbnail, content.content_type)
    return upload


async def attach(tx: Session, caller: UUID, upload: Upload) -> AttachmentOut:
    """Write the row of a stored file. Raises as ``require_room``."""
    subject, content = upload.subject, upload.content
    await subjects.lock(tx, subject)
    access = await require_room(tx, caller, subject)
    waits = upload.is_checked and content.kind is AttachmentKind.picture
    attachment = Attachment(
        id=upload.id,
        org_id=access.org_id,
        created_by=caller,
        created_at=now(),
        subject_type=subject.type,
        subject_id=subject.id,
        slot=0,
        kind=content.kind,
        content_type=content.content_type,
        size=len(content.body),
        sha256=content.sha256,
        width=content.width,
        height=content.height,
        state=AttachmentState.checking if waits else AttachmentState.ready,
    )
    most = subjects.declaration_of(subject.type).most
    if not await queries.insert_into_slot(tx, attachment, most):
        raise TooManyAttachments(limit=most, used=most)
    await audit.write(tx, caller, "created", attachment, facts=audit.about(*subject))
    if waits:
        await outbox.put(tx, CHECK, {"id": str(attachment.id)})
    return AttachmentOut.of(attachment)


async def remove(tx: Session, caller: UUID, attachment_id: UUID) -> None:
    """Delete one's own attachment, or any of a subject that one manages.

    Its bytes follow after the commit. Raises AttachmentNotFound, AttachmentsClosed, Forbidden.
    """
    attachment = await record_queries.lock(tx, Attachment, attachment_id)
    if attachment is None:
        raise AttachmentNotFound
    try:
        await subjects.lock(tx, subject_of(attachment))
    except subjects.SubjectNotFound:
        raise AttachmentNotFound from None
    access = await access_to(tx, caller, attachment)
    if access.is_closed:
        raise AttachmentsClosed
    is_own = attachment.created_by == caller
    if not (access.manages or (is_own and access.attaches)):
        raise people.Forbidden
    await queries.delete(tx, attachment)
    facts = audit.about(attachment.subject_type, attachment.subject_id)
    await audit.write(tx, caller, "deleted", attachment, facts=facts)
    await outbox.put(tx, REMOVED, {"id": str(attachment.id)})


async def remove_refused(database: Database, store: Store, upload: Upload) -> None:
    """Remove the bytes of an upload whose transaction has ended without a row.

    Best effort: what is left is removed after a day.
    """
    try:
        async with database.read() as tx:
            refused = await without_row(tx, keys_of(upload.id))
        await store.remove(*refused)
    except (Busy, StoreUnavailable):
        log.warning("attachments.refused_bytes_left", attachment_id=str(upload.id))


async def without_row(tx: Session, keys: Collection[str]) -> list[str]:
    """Return which objects in the store belong to no attachment."""
    ids = {key: UUID(key.removesuffix(".thumbnail")) for key in keys}
    there = await queries.existing(tx, set(ids.values()))
    return sorted(key for key, one in ids.items() if one not in there)

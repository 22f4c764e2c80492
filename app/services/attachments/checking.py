"""WeChat's check of pictures: it is asked after the upload, and its push decides."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from app.core.db import Session
from app.core.keys import FieldCipher
from app.models.attachments import Attachment, AttachmentState
from app.queries import attachments as queries
from app.queries import outbox
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.attachments import MediaCheckEvent
from app.services import audit, notify
from app.services.attachments.storing import CHECK, REMOVED

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A picture that WeChat has to check, and who uploaded it."""

    attachment: Attachment
    openid_sealed: bytes


async def waiting(tx: Session, attachment_id: UUID) -> Waiting | None:
    """Lock a picture that has to be checked; None if it is gone, or has been checked."""
    attachment = await record_queries.lock(tx, Attachment, attachment_id)
    if attachment is None or attachment.state != AttachmentState.checking:
        return None
    uploader = await people_queries.find(tx, attachment.created_by)
    assert uploader is not None, "the row refers to it"
    return Waiting(attachment, uploader.openid_sealed)


async def asked(tx: Session, attachment: Attachment, trace_id: str, at: datetime) -> None:
    """Note by which name WeChat will tell the result."""
    attachment.trace_id, attachment.asked_at = trace_id, at
    await record_queries.save(tx, attachment)


async def ask_again(tx: Session, before: datetime, at: datetime, limit: int) -> int:
    """Ask anew for pictures whose answer is overdue: a push may be lost. Return how many."""
    overdue = await queries.lock_overdue(tx, before, limit)
    for attachment in overdue:
        attachment.asked_at = at
        await record_queries.save(tx, attachment)
    await outbox.put(tx, CHECK, *({"id": str(one.id)} for one in overdue))
    return len(overdue)


async def answer(tx: Session, _: FieldCipher, message: dict[str, Any]) -> None:
    """Show or block the picture that WeChat has checked. Raises ValidationError.

    What WeChat would have a person review is blocked too: there is nobody who reviews it. A
    check that failed, as when the picture could not be fetched, is asked for again later.
    """
    event = MediaCheckEvent.model_validate(message)
    if event.errcode:
        log.warning("attachments.check_failed", errcode=event.errcode, trace_id=event.trace_id)
        return
    attachment = await queries.lock_by_trace(tx, event.trace_id)
    if attachment is None or attachment.state != AttachmentState.checking:
        return
    assert event.result is not None, "a check that did not fail has a result"
    if event.result.suggest == "pass":
        attachment.state = AttachmentState.ready
        await record_queries.save(tx, attachment)
    else:
        await _block(tx, attachment, event.result.suggest)


async def _block(tx: Session, attachment: Attachment, reason: str) -> None:
    """Hide a picture for good, delete its bytes, and tell its uploader."""
    subject = (attachment.subject_type, attachment.subject_id)
    before, attachment.state = attachment.state, AttachmentState.blocked
    await record_queries.save(tx, attachment)
    await audit.write(
        tx,
        None,
        "blocked",
        attachment,
        before=before,
        after=attachment.state,
        reason=reason,
        facts=audit.about(*subject),
    )
    await outbox.put(tx, REMOVED, {"id": str(attachment.id)})
    await notify.send(tx, attachment.created_by, "attachment_blocked", subject)


PUSHES = {"wxa_media_check": answer}

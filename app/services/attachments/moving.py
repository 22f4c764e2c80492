"""Pictures that were uploaded for a draft, moved to the subject that they are for.

So a picture can be uploaded before there is a row that it belongs to.
"""

from collections.abc import Collection
from uuid import UUID

from app.core.db import Session
from app.models.attachments import AttachmentKind, AttachmentState
from app.queries import attachments as queries
from app.queries import outbox
from app.queries import records as record_queries
from app.services import audit
from app.services.attachments.storing import REMOVED
from app.services.attachments.subjects import SubjectRef


async def move(
    tx: Session,
    person_id: UUID,
    wanted: Collection[UUID],
    draft: SubjectRef,
    subject: SubjectRef,
    org_id: UUID,
) -> set[UUID]:
    """Let a subject have exactly the wanted pictures, from itself or from a person's draft.

    Returns those that are in neither, or no pictures, or blocked; nothing is changed then. What
    the subject has no more is deleted. The wanted ones are no more than the subject may have.
    """
    rows = await queries.lock_of(tx, draft, subject)
    usable = {
        one.id
        for one in rows
        if one.kind == AttachmentKind.picture and one.state != AttachmentState.blocked
    }
    if unusable := {*wanted} - usable:
        return unusable
    there = [one for one in rows if one.subject_type == subject.type]
    for one in there:
        if one.id not in wanted:
            await queries.delete(tx, one)
            await audit.write(tx, person_id, "deleted", one, facts=audit.about(*subject))
            await outbox.put(tx, REMOVED, {"id": str(one.id)})
    taken = {one.slot for one in there if one.id in wanted}
    free = (slot for slot in range(1, len(wanted) + len(taken) + 1) if slot not in taken)
    for one in rows:
        if one.subject_type == draft.type and one.id in wanted:
            one.subject_type, one.subject_id, one.org_id = subject.type, subject.id, org_id
            one.slot = next(free)
            await record_queries.save(tx, one)
    return set()

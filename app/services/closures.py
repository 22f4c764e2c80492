"""Closing one's account: asked for, kept after all, or carried out by the job (decision 0030).

PIPL 15, 47: a person may withdraw consent and close the account, and is then erased. The law leaves
a period to change one's mind to the service.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import FieldCipher
from app.models.closures import Closure, ClosureCause
from app.queries import closures as queries
from app.queries import consents as consent_queries
from app.queries import people as people_queries
from app.queries import roles as role_queries
from app.schemas.closures import AuthorizationEvent, ClosureOut
from app.services import audit, notify, people, roles

log = structlog.get_logger(__name__)
TO_CHANGE_ONES_MIND = timedelta(days=15)


class ClosureNotFound(Refusal):
    code, status, title = "closures.not_found", 404, "Not closing"
    zh, en = "没有待生效的注销申请", "The account is not about to be closed."


class ClosurePending(Refusal):
    code, status, title = "closures.pending", 409, "Closing already"
    zh, en = "已申请注销，请等待生效或撤销申请", "The account is about to be closed already."
    fact_names = ("closes_at",)


class ConsentMissing(Refusal):
    """Facts: ``document``, to which the person has to agree again before."""

    code, status, title = "closures.consent_missing", 409, "Consent missing"
    zh, en = "请先重新同意相关文本", "Agree to the text again first."
    fact_names = ("document",)


async def ask(tx: Session, person_id: UUID, cause: ClosureCause = ClosureCause.asked) -> ClosureOut:
    """Ask for the closure of one's account.

    Raises PersonNotFound, ClosurePending, LastAdministrator: also for who withdraws consent, which
    is possible as soon as somebody else administers the root.
    """
    await _lock_person(tx, person_id)
    await roles.require_others(tx, person_id)
    if (found := await queries.find(tx, person_id)) is not None:
        raise ClosurePending(closes_at=found.due_at)
    at = now()
    return await _open(tx, person_id, cause, at, at + TO_CHANGE_ONES_MIND)


async def mine(tx: Session, person_id: UUID) -> ClosureOut:
    """Return the closure of one's account. Raises ClosureNotFound."""
    found = await queries.find(tx, person_id)
    if found is None:
        raise ClosureNotFound
    return ClosureOut.model_validate(found)


async def keep(tx: Session, person_id: UUID) -> None:
    """Keep one's account after all.

    Raises ClosureNotFound, also once it is carried out, and ConsentMissing: without consent nothing
    may be processed.
    """
    found = await queries.lock(tx, person_id)
    if found is None or found.due_at <= now():
        raise ClosureNotFound
    for document in await consent_queries.withdrawn(tx, person_id):
        raise ConsentMissing(document=document)
    await queries.remove(tx, found)
    await audit.write_about(tx, person_id, "cancelled", ("closure", person_id), None)


async def close_at_once(tx: Session, person_id: UUID, cause: ClosureCause) -> None:
    """Let the job erase a person as soon as possible. Idempotent, also of an erased person.

    WeChat's word is obeyed also of the last administrator of a root, which is logged as an alert:
    only an operator can appoint another one then.
    """
    person = await queries.lock_person(tx, person_id)
    if person is None or person.erased_at is not None:
        return
    for org in await _left_alone(tx, person_id):
        log.error("closures.last_administrator", alert=True, org_id=str(org))
    at, found = now(), await queries.lock(tx, person_id)
    if found is None:
        await _open(tx, person_id, cause, at, at)
    elif found.due_at > at:
        found.due_at, found.cause = at, cause
        await queries.save(tx, found)
        await _audit(tx, None, person_id, cause)


async def close_by_event(
    tx: Session, cipher: FieldCipher, message: dict[str, Any], cause: ClosureCause
) -> None:
    """Close the account of an event's openid. Raises ValidationError.

    An event may come twice, late, or again: a person who is registered after it was made, under
    the same openid, is another one and stays.
    """
    event = AuthorizationEvent.model_validate(message)
    person = await people_queries.find_by_openid(tx, cipher.indexes(event.openid))
    if person is not None and event.created_at >= int(person.created_at.timestamp()):
        await close_at_once(tx, person.id, cause)


PUSHES = {
    "user_authorization_revoke": partial(close_by_event, cause=ClosureCause.wechat_revoked),
    "user_authorization_cancellation": partial(close_by_event, cause=ClosureCause.wechat_cancelled),
}


async def _left_alone(tx: Session, person_id: UUID) -> list[UUID]:
    """Return the roots that would have no administrator without this person."""
    roots = await role_queries.administered_roots(tx, person_id)
    return [one.id for one in roots if not await role_queries.another_stays(tx, one.id, person_id)]


async def _lock_person(tx: Session, person_id: UUID) -> None:
    person = await queries.lock_person(tx, person_id)
    if person is None or person.erased_at is not None:
        raise people.PersonNotFound


async def _open(
    tx: Session, person_id: UUID, cause: ClosureCause, at: datetime, due_at: datetime
) -> ClosureOut:
    closure = Closure(person_id=person_id, cause=cause, asked_at=at, due_at=due_at)
    await queries.save(tx, closure)
    is_persons = cause in (ClosureCause.asked, ClosureCause.consent_withdrawn)
    await _audit(tx, person_id if is_persons else None, person_id, cause)
    if due_at > at:
        subject = ("closure", person_id)
        await notify.send(tx, person_id, "closure_asked", subject, due_at=due_at)
    return ClosureOut.model_validate(closure)


async def _audit(tx: Session, actor: UUID | None, person_id: UUID, cause: ClosureCause) -> None:
    subject = ("closure", person_id)
    await audit.write_about(tx, actor, "created", subject, None, facts={"cause": cause})

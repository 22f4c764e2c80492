"""Erasing people whose accounts are closed (PIPL 47), under a pseudonym in the ledger (0030).

A noun that keeps texts of people beyond ``queries/erasures`` erases them itself:

    ERASES = erase  # async def erase(tx: Session, people: Sequence[UUID]) -> None
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from app import services
from app.core.db import Session
from app.core.discovery import declared
from app.queries import closures as closure_queries
from app.queries import erasures as queries
from app.queries import outbox
from app.queries import people as people_queries
from app.queries.ledger import redactions
from app.queries.ledger.redactions import REDACTED
from app.services import audit, signups
from app.services.attachments.storing import REMOVED

# A second erasure removes what requests wrote that were under way during the first. Access tokens
# end after 15 minutes, also where Redis did not learn that they are revoked.
SWEPT_AFTER = timedelta(hours=1)
Erases = Callable[[Session, Sequence[UUID]], Awaitable[None]]


@cache
def of_nouns() -> tuple[Erases, ...]:
    """Return what the service modules declare as ``ERASES``."""
    return tuple(declared(services, "ERASES"))


async def due(tx: Session, at: datetime, limit: int) -> Sequence[UUID]:
    """Return the people to erase, or to erase a second time."""
    return await closure_queries.due(tx, at, SWEPT_AFTER, limit)


async def logins(tx: Session, person: UUID) -> list[UUID]:
    return await queries.families(tx, [person])


async def erase_due(tx: Session, person: UUID, at: datetime) -> bool:
    """Erase a person whose closure is due; False if another worker does."""
    closure = await closure_queries.lock_due(tx, person, at, SWEPT_AFTER)
    if closure is None:
        return False
    await erase(tx, [person], at)
    if closure.erased_at is None:
        closure.erased_at = at
    else:
        closure.swept_at = at
    await closure_queries.save(tx, closure)
    return True


async def erase(tx: Session, people: Sequence[UUID], at: datetime) -> None:
    """Erase people, with accounts that were merged into theirs.

    Repeated, it erases what was written meanwhile.
    """
    people = [*people, *await people_queries.merged_into(tx, people)]
    for signup_id, person in await queries.signups_ahead(tx, people, at):
        with suppress(signups.AlreadyCheckedIn, signups.TooLateToCancel):
            await signups.cancel(tx, person, signup_id)
    for role in await queries.remove_roles(tx, people):
        facts = {"role": role.role} | (
            {"merchant": str(role.merchant_id)} if role.merchant_id else {}
        )
        subject = ("person", role.person_id)
        await audit.write_about(tx, None, "dismissed", subject, role.org_id, facts=facts)
    removed = await queries.remove_attachments(tx, people)
    await outbox.put(tx, REMOVED, *({"id": str(one)} for one in removed))
    await queries.erase(tx, people, at)
    for erase_of_noun in of_nouns():
        await erase_of_noun(tx, people)
    await _redact(tx, people)
    await queries.remove_categories(tx, people)
    await outbox.put(tx, "leaderboards.rebuild", {"gone": [str(one) for one in people]})
    for person in people:
        await audit.write_about(tx, None, "erased", ("closure", person), None)


async def _redact(tx: Session, people: Sequence[UUID]) -> None:
    """Erase texts under the seals; what the rows were and are is kept as hashes."""
    before = [await redactions.hashes(tx, fact, people) for fact in REDACTED]
    await queries.erase_texts(tx, people)
    for fact, hashes in zip(REDACTED, before, strict=True):
        await redactions.add(tx, fact, hashes, await redactions.hashes(tx, fact, people))

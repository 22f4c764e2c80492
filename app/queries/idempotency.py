"""SQL of idempotency keys."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.db import Session, sqlstate

LOCK_NOT_AVAILABLE = "55P03"


class InFlight(Exception):
    """The transaction that claimed the key first has not ended within the lock time-out."""


@dataclass(frozen=True, slots=True)
class StoredReply:
    fingerprint: bytes
    status: int | None
    body: bytes | None


# Who comes second waits here for the first to commit (or to roll back, and then is first).
CLAIM = """
INSERT INTO idempotency_keys (person_id, key, fingerprint) VALUES (:person, :key, :fingerprint)
ON CONFLICT (person_id, key) DO NOTHING RETURNING key
"""

_FIND = text("""
SELECT fingerprint, status, body FROM idempotency_keys WHERE person_id = :person AND key = :key
""")

_STORE = text("""
UPDATE idempotency_keys SET status = :status, body = :body
WHERE person_id = :person AND key = :key
""")

_FORGET = text("DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days'")


async def claim(session: Session, person: UUID, key: str, fingerprint: bytes) -> bool:
    """Claim a key; False if it is taken. Raises InFlight, after which the transaction is dead."""
    try:
        made = await session.execute(
            text(CLAIM), {"person": person, "key": key, "fingerprint": fingerprint}
        )
    except DBAPIError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise InFlight from error
        raise
    return made.first() is not None


async def find(session: Session, person: UUID, key: str) -> StoredReply | None:
    row = (await session.execute(_FIND, {"person": person, "key": key})).one_or_none()
    return StoredReply(row.fingerprint, row.status, row.body) if row else None


async def store(session: Session, person: UUID, key: str, status: int, body: bytes) -> None:
    await session.execute(_STORE, {"person": person, "key": key, "status": status, "body": body})


async def forget_old(session: Session) -> None:
    await session.execute(_FORGET)

"""SQL of idempotency keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import LockNotAvailableError
from sqlalchemy import delete, tuple_
from sqlmodel import col, select

from app.core.db import Session
from app.models.idempotency import IdempotencyKey


class InFlight(Exception):
    """The transaction that claimed the key first did not end within the lock time-out."""


Key = tuple[UUID, str]  # person and key


@dataclass(frozen=True, slots=True)
class StoredReply:
    fingerprint: bytes
    status: int | None
    body: bytes | None
    created_at: datetime


# A concurrent claim of the same key waits for the first to commit. After its rollback it inserts.
CLAIM = """
INSERT INTO idempotency_keys (person_id, key, fingerprint)
SELECT * FROM unnest(CAST(:people AS uuid[]), CAST(:keys AS text[]),
                     CAST(:fingerprints AS bytea[])) AS k(person_id, key, fingerprint)
ORDER BY k.person_id, k.key
ON CONFLICT (person_id, key) DO NOTHING RETURNING person_id, key
"""

# The share lock is written to the WAL, so that this commit waits for a synchronous standby too: a
# reply that only a failing primary has must not be replayed.
_FIND = """
SELECT i.person_id, i.key, i.fingerprint, i.status, i.body, i.created_at
FROM unnest(CAST(:people AS uuid[]), CAST(:keys AS text[])) AS k(person_id, key)
JOIN idempotency_keys i ON i.person_id = k.person_id AND i.key = k.key
FOR SHARE OF i
"""

_STORE = """
UPDATE idempotency_keys i SET status = k.status, body = k.body
FROM unnest(CAST(:people AS uuid[]), CAST(:keys AS text[]), CAST(:statuses AS int[]),
            CAST(:bodies AS bytea[])) AS k(person_id, key, status, body)
WHERE i.person_id = k.person_id AND i.key = k.key
"""

_RELEASE = """
DELETE FROM idempotency_keys i
USING unnest(CAST(:people AS uuid[]), CAST(:keys AS text[])) AS k(person_id, key)
WHERE i.person_id = k.person_id AND i.key = k.key
"""


async def claim(session: Session, fingerprints: dict[Key, bytes]) -> set[Key]:
    """Claim keys; return those that were free.

    Raises InFlight; the transaction is then aborted.
    """
    try:
        made = await session.fetch(
            CLAIM, _keys(fingerprints) | {"fingerprints": list(fingerprints.values())}
        )
    except LockNotAvailableError as error:
        raise InFlight from error
    return {(row.person_id, row.key) for row in made}


async def find(session: Session, keys: Collection[Key]) -> dict[Key, StoredReply]:
    rows = await session.fetch(_FIND, _keys(keys))
    return {
        (row.person_id, row.key): StoredReply(row.fingerprint, row.status, row.body, row.created_at)
        for row in rows
    }


async def store(session: Session, replies: dict[Key, tuple[int, bytes]]) -> None:
    """Store status and body with claimed keys."""
    await session.fetch(
        _STORE,
        _keys(replies)
        | {
            "statuses": [status for status, _ in replies.values()],
            "bodies": [body for _, body in replies.values()],
        },
    )


async def release(session: Session, keys: Collection[Key]) -> None:
    """Delete claimed keys without a reply to keep."""
    await session.fetch(_RELEASE, _keys(keys))


async def forget(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` keys from before a time, the oldest first; return how many."""
    key = (col(IdempotencyKey.person_id), col(IdempotencyKey.key))
    made = col(IdempotencyKey.created_at)
    old = select(*key).where(made < before).order_by(made).limit(limit)
    gone = delete(IdempotencyKey).where(tuple_(*key).in_(old)).returning(key[0])
    return len((await session.execute(gone)).all())


def _keys(keys: Collection[Key]) -> dict[str, list[Any]]:
    return {"people": [person for person, _ in keys], "keys": [key for _, key in keys]}

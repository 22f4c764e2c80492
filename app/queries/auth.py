"""SQL of logins and refresh tokens."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from app.core.db import Session


class Spent(NamedTuple):
    """A refresh token after it was presented. ``was_fresh``: this call spent it.

    ``used_at``: when an earlier call had spent it. None for all who presented it at the
    same moment, the winner and those who waited for its lock.
    """

    family_id: UUID
    person_id: UUID
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    was_fresh: bool


_START_FAMILY = text("INSERT INTO token_families (person_id) VALUES (:person) RETURNING id")

_INSERT_TOKEN = text("""
INSERT INTO refresh_tokens (hash, family_id, expires_at) VALUES (:hash, :family, :expires_at)
""")

# The conditional update is the guard: of many who present one token, one spends it.
SPEND = """
WITH presented AS (
    SELECT t.hash, t.family_id, t.expires_at, t.used_at, f.person_id, f.revoked_at
    FROM refresh_tokens t JOIN token_families f ON f.id = t.family_id WHERE t.hash = :hash
), spent AS (
    UPDATE refresh_tokens SET used_at = :at WHERE hash = :hash AND used_at IS NULL RETURNING hash
)
SELECT p.family_id, p.person_id, p.expires_at, p.revoked_at, p.used_at,
       EXISTS (SELECT FROM spent) AS was_fresh
FROM presented p
"""

_REVOKE = text("""
UPDATE token_families SET revoked_at = :at WHERE id = :family AND revoked_at IS NULL
""")

_FAMILY_OF = text("""
SELECT f.id, f.person_id FROM refresh_tokens t JOIN token_families f ON f.id = t.family_id
WHERE t.hash = :hash
""")

_FORGET = text("DELETE FROM refresh_tokens WHERE expires_at < :before")


async def start_family(session: Session, person_id: UUID) -> UUID:
    made = await session.execute(_START_FAMILY, {"person": person_id})
    family: UUID = made.scalar_one()
    return family


async def insert_token(
    session: Session, family: UUID, token_hash: bytes, expires_at: datetime
) -> None:
    await session.execute(
        _INSERT_TOKEN, {"hash": token_hash, "family": family, "expires_at": expires_at}
    )


async def spend(session: Session, token_hash: bytes, at: datetime) -> Spent | None:
    """Spend a refresh token; None if it was never issued."""
    rows = (await session.execute(text(SPEND), {"hash": token_hash, "at": at})).mappings()
    row = rows.one_or_none()
    if row is None:
        return None
    return Spent(**row)


async def revoke_family(session: Session, family: UUID, at: datetime) -> None:
    await session.execute(_REVOKE, {"family": family, "at": at})


async def family_of(session: Session, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Return the family and the person that a refresh token belongs to."""
    row = (await session.execute(_FAMILY_OF, {"hash": token_hash})).one_or_none()
    return (row.id, row.person_id) if row else None


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(_FORGET, {"before": before})

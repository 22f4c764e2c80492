"""SQL of logins and refresh tokens."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, text, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.auth import RefreshToken, TokenFamily


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


async def start_family(session: Session, person_id: UUID) -> UUID:
    family = TokenFamily(person_id=person_id)
    session.add(family)
    await session.flush()
    return family.id


async def insert_token(
    session: Session, family: UUID, token_hash: bytes, expires_at: datetime
) -> None:
    session.add(RefreshToken(hash=token_hash, family_id=family, expires_at=expires_at))
    await session.flush()


async def spend(session: Session, token_hash: bytes, at: datetime) -> Spent | None:
    """Spend a refresh token; None if it was never issued."""
    rows = (await session.execute(text(SPEND), {"hash": token_hash, "at": at})).mappings()
    row = rows.one_or_none()
    if row is None:
        return None
    return Spent(**row)


async def revoke_family(session: Session, family: UUID, at: datetime) -> None:
    living = col(TokenFamily.id) == family, col(TokenFamily.revoked_at).is_(None)
    await session.execute(update(TokenFamily).where(*living).values(revoked_at=at))


async def family_of(session: Session, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Return the family and the person that a refresh token belongs to."""
    query = select(TokenFamily.id, TokenFamily.person_id).join(RefreshToken)
    return (await session.exec(query.where(RefreshToken.hash == token_hash))).first()


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(delete(RefreshToken).where(col(RefreshToken.expires_at) < before))

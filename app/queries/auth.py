"""SQL of logins and refresh tokens."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, update
from sqlmodel import col, select

from app.core.db import Session
from app.models.auth import RefreshToken, TokenFamily


class Spent(NamedTuple):
    """A refresh token after it was presented. ``was_fresh``: this call spent it.

    ``used_at``: when an earlier call spent it. None for all calls that presented it concurrently,
    the one that spent it and those that waited for its lock.
    """

    family_id: UUID
    person_id: UUID
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    was_fresh: bool


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
    presented = col(RefreshToken.hash) == token_hash
    spent = (
        update(RefreshToken)
        .where(presented, is_unused())
        .values(used_at=at)
        .returning(col(RefreshToken.hash))
        .cte("spent")
    )
    # One statement, one snapshot: the columns are those from before the update.
    query = select(RefreshToken, TokenFamily, select(spent.c.hash).exists())
    row = (await session.exec(query.join(TokenFamily).where(presented))).one_or_none()
    if row is None:
        return None
    token, family, was_fresh = row
    return Spent(
        family_id=family.id,
        person_id=family.person_id,
        expires_at=token.expires_at,
        revoked_at=family.revoked_at,
        used_at=token.used_at,
        was_fresh=was_fresh,
    )


def is_unused() -> ColumnElement[bool]:
    """Return the condition of the update: of concurrent requests, one spends the token."""
    return col(RefreshToken.used_at).is_(None)


async def revoke_family(session: Session, family: UUID, at: datetime) -> None:
    living = col(TokenFamily.id) == family, col(TokenFamily.revoked_at).is_(None)
    await session.execute(update(TokenFamily).where(*living).values(revoked_at=at))


async def revoke_all(session: Session, person: UUID, at: datetime) -> list[UUID]:
    """Revoke all logins of a person; return those that were alive."""
    living = col(TokenFamily.person_id) == person, col(TokenFamily.revoked_at).is_(None)
    query = update(TokenFamily).where(*living).values(revoked_at=at)
    return list((await session.execute(query.returning(col(TokenFamily.id)))).scalars())


async def family_of(session: Session, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Return the family and the person that a refresh token belongs to."""
    query = select(TokenFamily.id, TokenFamily.person_id).join(RefreshToken)
    return (await session.exec(query.where(RefreshToken.hash == token_hash))).first()


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(delete(RefreshToken).where(col(RefreshToken.expires_at) < before))

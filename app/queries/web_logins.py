"""SQL of the logins of web pages."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select

from app.core.db import Session
from app.models.auth import TokenFamily
from app.models.web_logins import WebLogin


async def add(session: Session, token_hash: bytes, family: UUID, expires_at: datetime) -> None:
    session.add(WebLogin(hash=token_hash, family_id=family, expires_at=expires_at))
    await session.flush()


async def find(session: Session, token_hash: bytes) -> tuple[UUID, UUID, datetime] | None:
    """Return person, family and end of a login that was not revoked."""
    query = (
        select(TokenFamily.person_id, TokenFamily.id, WebLogin.expires_at)
        .join(WebLogin)
        .where(col(WebLogin.hash) == token_hash, col(TokenFamily.revoked_at).is_(None))
    )
    return (await session.exec(query)).one_or_none()


async def forget_expired(session: Session, before: datetime) -> None:
    await session.execute(delete(WebLogin).where(col(WebLogin.expires_at) < before))

"""SQL that deletes what is older than its retention period. No row of the ledger is among it."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col, select

from app.core.db import Session
from app.models.auth import RefreshToken, TokenFamily
from app.models.closures import Closure
from app.models.ledger import ExpiryNotice
from app.models.policy_simulations import PolicySimulation
from app.models.web_logins import WebLogin


async def forget_logins(session: Session, before: datetime, limit: int) -> int:
    """Delete logins of before a moment that have no token any more; return how many."""
    has_token = select(RefreshToken.hash).where(RefreshToken.family_id == TokenFamily.id).exists()
    has_cookie = select(WebLogin.hash).where(WebLogin.family_id == TokenFamily.id).exists()
    ended = (
        select(TokenFamily.id)
        .where(col(TokenFamily.created_at) < before, ~has_token, ~has_cookie)
        .order_by(col(TokenFamily.id))
        .limit(limit)
    )
    query = delete(TokenFamily).where(col(TokenFamily.id).in_(ended))
    return len((await session.execute(query.returning(col(TokenFamily.id)))).all())


async def forget_closures(session: Session, before: datetime) -> None:
    """Delete closures that were carried out before a moment."""
    await session.execute(delete(Closure).where(col(Closure.swept_at) < before))


async def forget_simulations(session: Session, before: datetime) -> None:
    """Delete the simulations that ended before a moment, with their people."""
    await session.execute(delete(PolicySimulation).where(col(PolicySimulation.ended_at) < before))


async def forget_expiry_notices(session: Session, before: datetime) -> None:
    """Delete the records of notices about points that expired before a moment."""
    await session.execute(delete(ExpiryNotice).where(col(ExpiryNotice.expires_at) < before))

"""SQL of the points rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlmodel import SQLModel, col, select

from app.core.db import Session
from app.models.policies import Policy, PolicyRule, PolicyTier

Row = TypeVar("Row", bound=SQLModel)


def _kept(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Let go of rows that outlive their transaction: a rollback would empty them."""
    for row in rows:
        session.expunge(row)
    return list(rows)


_IN_FORCE = """
SELECT version, created_at FROM policies WHERE effective_from <= :at
ORDER BY effective_from DESC, version DESC LIMIT 1
"""


async def in_force(session: Session, at: datetime) -> tuple[int, datetime] | None:
    """Read number and birth of the version that is effective."""
    rows = await session.fetch(_IN_FORCE, {"at": at})
    return (rows[0].version, rows[0].created_at) if rows else None


async def find(session: Session, version: int) -> Policy:
    found = await session.exec(select(Policy).where(Policy.version == version))
    return _kept(session, found.all())[0]


async def rules(session: Session, version: int) -> list[PolicyRule]:
    found = await session.exec(select(PolicyRule).where(PolicyRule.version == version))
    return _kept(session, found.all())


async def tiers(session: Session, version: int) -> list[PolicyTier]:
    """Read the tiers, lowest first."""
    query = select(PolicyTier).where(PolicyTier.version == version).order_by(col(PolicyTier.rank))
    return _kept(session, (await session.exec(query)).all())


async def publish(
    session: Session, policy: Policy, rules: Sequence[PolicyRule], tiers: Sequence[PolicyTier]
) -> None:
    session.add(policy)
    await session.flush()
    session.add_all([*rules, *tiers])
    await session.flush()


async def latest_version(session: Session) -> int:
    """Return the highest version, 0 when there is none."""
    found = await session.exec(select(Policy.version).order_by(col(Policy.version).desc()).limit(1))
    return found.first() or 0

"""SQL of proxies who collect."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from app.core.db import Session
from app.models.proxies import CollectionProxy
from app.models.redemptions import Redemption


async def by_codes(
    session: Session, codes: Sequence[str]
) -> dict[str, tuple[CollectionProxy, str]]:
    """Read proxies that were not revoked by their codes, and the pick-up code of each."""
    query = (
        select(CollectionProxy, Redemption.pickup_code)
        .join(Redemption, col(Redemption.id) == col(CollectionProxy.redemption_id))
        .where(col(CollectionProxy.code).in_(codes), col(CollectionProxy.revoked_at).is_(None))
    )
    return {proxy.code: (proxy, pickup_code) for proxy, pickup_code in await session.exec(query)}


async def insert(session: Session, proxy: CollectionProxy) -> None:
    session.add(proxy)
    await session.flush()


async def standing(session: Session, redemption: UUID) -> CollectionProxy | None:
    """Read the proxy of a redemption that was not revoked."""
    query = select(CollectionProxy).where(
        CollectionProxy.redemption_id == redemption, col(CollectionProxy.revoked_at).is_(None)
    )
    return (await session.exec(query)).first()


async def revoke(session: Session, redemption: UUID, at: datetime) -> None:
    """Revoke the proxy of a locked redemption, unless it was used."""
    revoked = update(CollectionProxy).where(
        col(CollectionProxy.redemption_id) == redemption,
        col(CollectionProxy.revoked_at).is_(None),
        col(CollectionProxy.used_at).is_(None),
    )
    await session.execute(revoked.values(revoked_at=at))


async def use(session: Session, proxy: UUID, staff: UUID, at: datetime) -> bool:
    """Mark a proxy as used; False if it was revoked or used before."""
    used = update(CollectionProxy).where(
        col(CollectionProxy.id) == proxy,
        col(CollectionProxy.revoked_at).is_(None),
        col(CollectionProxy.used_at).is_(None),
    )
    values = {"used_at": at, "used_by": staff}
    done = await session.execute(used.values(values).returning(col(CollectionProxy.id)))
    return done.first() is not None

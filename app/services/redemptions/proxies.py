"""Proxies at a counter: the code of one stands for the pick-up code of its reservation.

It is longer than a pick-up code. Whoever collects first ends both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.proxies import CollectionProxy
from app.queries import proxies as queries
from app.queries.redemptions import Collectable
from app.schemas.proxies import ProxyShownOut
from app.services import audit, notify

CODE_LENGTH = 10  # of the alphabet of pick-up codes: 50 bits


@dataclass(frozen=True, slots=True)
class Shown:
    """A code that was shown at a counter: the pick-up code, and the proxy that it was shown by."""

    pickup_code: str
    proxy: CollectionProxy | None = None

    def out(self) -> ProxyShownOut | None:
        return ProxyShownOut(name=self.proxy.name) if self.proxy else None


async def read(tx: Session, codes: Sequence[str]) -> list[Shown]:
    """Return what codes that were shown at counters stand for, in one statement."""
    asked = [code.upper() for code in codes]
    wanted = [code for code in asked if len(code) == CODE_LENGTH]
    found = await queries.by_codes(tx, wanted) if wanted else {}
    return [
        Shown(found[code][1], found[code][0]) if code in found else Shown(code) for code in asked
    ]


async def use(tx: Session, shown: Shown, staff_id: UUID, at: datetime) -> bool:
    """Use up the proxy of a locked redemption, if it was shown by one.

    Returns False if the proxy was revoked meanwhile: then it is not to be collected.
    """
    return shown.proxy is None or await queries.use(tx, shown.proxy.id, staff_id, at)


async def tell(tx: Session, shown: Shown, row: Collectable, staff_id: UUID) -> None:
    """Record that a proxy collected a redemption, if one did, and tell its owner."""
    proxy = shown.proxy
    if proxy is None:
        return
    subject, about = ("redemption", row.id), audit.about("collection_proxy", proxy.id)
    await audit.write_about(tx, staff_id, "collected_by_proxy", subject, row.org_id, facts=about)
    facts = {"reward": row.reward_name, "quantity": row.quantity, "points": row.points}
    named = proxy.name is not None
    await notify.send(tx, row.person_id, "proxies_collected", subject, named=named, **facts)

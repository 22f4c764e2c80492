"""Proxies at a counter: the code of one stands for the pick-up code of its reservation.

It is longer than a pick-up code. Whoever collects first ends both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.proxies import CollectionProxy
from app.models.redemptions import Redemption
from app.queries import proxies as queries
from app.schemas.proxies import ProxyShownOut
from app.services import audit
from app.services.redemptions import holding
from app.services.rewards import reading as rewards

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


async def use(
    tx: Session, shown: Shown, redemption: Redemption, staff_id: UUID, at: datetime
) -> bool:
    """Record that a locked redemption is collected by a proxy, if it is, and tell its owner.

    Returns False if the proxy was revoked meanwhile: then it is not to be collected.
    """
    proxy = shown.proxy
    if proxy is None:
        return True
    if not await queries.use(tx, proxy.id, staff_id, at):
        return False
    reward = await rewards.get(tx, redemption.reward_id)
    subject, about = ("redemption", redemption.id), audit.about("collection_proxy", proxy.id)
    await audit.write_about(tx, staff_id, "collected_by_proxy", subject, reward.org_id, facts=about)
    named = proxy.name is not None
    await holding.tell(tx, redemption, "proxies_collected", reward, named=named)
    return True

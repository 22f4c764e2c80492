"""The owner of a reservation lets somebody else collect it, once."""

import secrets
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.proxies import CollectionProxy
from app.models.redemptions import Redemption
from app.queries import proxies as queries
from app.queries import redemptions as redemption_queries
from app.schemas.proxies import ProxyIn, ProxyOut
from app.services.ledger import moments
from app.services.redemptions import holding, reservations
from app.services.redemptions.proxies import CODE_LENGTH
from app.services.redemptions.reservations import RedemptionNotFound


class ProxyNotFound(Refusal):
    code, status, title = "proxies.not_found", 404, "No proxy"
    zh, en = "该兑换没有代领码", "This redemption has no proxy."


async def make(tx: Session, person_id: UUID, redemption_id: UUID, body: ProxyIn) -> ProxyOut:
    """Make a code for somebody else, in place of an earlier one.

    Raises RedemptionNotFound, RedemptionNotReserved.
    """
    redemption, at = await _own(tx, person_id, redemption_id)
    reservations.require_reserved(redemption, at)
    await queries.revoke(tx, redemption.id, at)
    proxy = CollectionProxy(
        id=new_id(),
        redemption_id=redemption.id,
        person_id=person_id,
        code=_random_code(),
        name=body.name,
        created_at=at,
    )
    await queries.insert(tx, proxy)
    return ProxyOut.model_validate(proxy)


async def show(tx: Session, person_id: UUID, redemption_id: UUID) -> ProxyOut:
    """Return the proxy of the caller's redemption. Raises RedemptionNotFound, ProxyNotFound."""
    if await redemption_queries.find_own(tx, redemption_id, person_id) is None:
        raise RedemptionNotFound
    proxy = await queries.standing(tx, redemption_id)
    if proxy is None:
        raise ProxyNotFound
    return ProxyOut.model_validate(proxy)


async def revoke(tx: Session, person_id: UUID, redemption_id: UUID) -> None:
    """Revoke the proxy of the caller's redemption; one that was used stays. Idempotent.

    Raises RedemptionNotFound.
    """
    redemption, at = await _own(tx, person_id, redemption_id)
    await queries.revoke(tx, redemption.id, at)


async def _own(tx: Session, person_id: UUID, redemption_id: UUID) -> tuple[Redemption, datetime]:
    """Lock the caller's redemption. Raises RedemptionNotFound."""
    redemption = await redemption_queries.lock_own(tx, redemption_id, person_id)
    if redemption is None:
        raise RedemptionNotFound
    return redemption, await moments.moment(tx)


def _random_code() -> str:
    return "".join(secrets.choice(holding.PICKUP_ALPHABET) for _ in range(CODE_LENGTH))

"""Merchants, rewards and card codes for tests."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.models.cards import CardStatus
from app.models.merchants import Merchant, MerchantKind, MerchantState
from app.models.orgs import Org
from app.models.people import Role
from app.models.rewards import Reward, RewardKind, RewardPeriod, RewardState
from app.queries import cards as card_queries
from app.runtime import Runtime
from app.schemas.redemptions import RedemptionIn, RedemptionOut
from app.services.redemptions import reservations
from tests.engines import as_owner
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_with_role

_SET_CARD_STATUS = text("UPDATE cards SET status = :status WHERE person_id = :person")
_MAKE_OVERDUE = (
    "UPDATE redemptions SET expires_at = '{at}' WHERE id IN ({ids})",
    "UPDATE ledger_holds SET held_until = '{at}' WHERE transfer_id IN ({ids})",
    """
    UPDATE ledger_accounts a SET holds_until = (
        SELECT min(held_until) FROM ledger_holds WHERE account_id = a.id AND is_open)
    WHERE id IN (SELECT account_id FROM ledger_holds WHERE transfer_id IN ({ids}))
    """,
)


@dataclass(frozen=True)
class Counter:
    """A merchant and a person of its staff."""

    merchant: Merchant
    staff: TestPerson


async def make_counter(
    runtime: Runtime,
    *,
    kind: MerchantKind = MerchantKind.shop,
    org: Org | None = None,
    state: MerchantState = MerchantState.active,
) -> Counter:
    org = org or await make_org(runtime)
    async with runtime.database.transaction() as tx:
        merchant = Merchant(org_id=org.id, name="测试商户", kind=kind, state=state)
        tx.add(merchant)
        await tx.flush()
    staff = await make_with_role(runtime, Role.merchant_staff, merchant=merchant.id)
    return Counter(merchant, staff)


async def make_reward(runtime: Runtime, counter: Counter, **changes: Any) -> Reward:
    """Create a reward of 10 points, by default without stock and limits."""
    values: dict[str, Any] = {
        "org_id": counter.merchant.org_id,
        "merchant_id": counter.merchant.id,
        "key": f"soap_{secrets.token_hex(4)}",
        "name": "香皂",
        "kind": RewardKind.goods,
        "points": 10,
        "stock": None,
        "stock_period": RewardPeriod.session,
        "min_tier": "sprout",
        "state": RewardState.published,
    }
    async with runtime.database.transaction() as tx:
        reward = Reward(**(values | changes))
        tx.add(reward)
    return reward


async def make_card_codes(
    runtime: Runtime, person: TestPerson, number: int, lifetime: timedelta = timedelta(minutes=1)
) -> list[str]:
    """Create several valid codes; the API would return the first one again."""
    codes = [f"{secrets.randbelow(10**18):018}" for _ in range(number)]
    async with runtime.database.transaction() as tx:
        for code in codes:
            assert await card_queries.insert_code(tx, person.id, code, now() + lifetime)
    return codes


async def reserve(
    runtime: Runtime, person_id: UUID, reward: Reward, quantity: int = 1
) -> RedemptionOut:
    """Reserve a reward for a person who has the points."""
    body = RedemptionIn(reward_id=reward.id, quantity=quantity)
    async with runtime.database.transaction() as tx:
        return await reservations.reserve(tx, person_id, body)


async def make_overdue(runtime: Runtime, *redemption_ids: UUID) -> None:
    """Set the end of the collection period to the past, as the schema's owner."""
    ids = ", ".join(f"'{one}'" for one in redemption_ids)
    at = now() - timedelta(seconds=1)
    await as_owner(runtime.settings, *(one.format(ids=ids, at=at) for one in _MAKE_OVERDUE))


async def set_card_status(tx: Session, person_id: UUID, status: CardStatus) -> None:
    await tx.execute(_SET_CARD_STATUS, {"person": person_id, "status": status})

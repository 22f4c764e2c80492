"""Merchants, rewards and card codes for tests."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.clock import now
from app.models.merchants import Merchant, MerchantKind
from app.models.orgs import Org
from app.models.people import Role
from app.models.rewards import Reward, RewardKind, RewardPeriod
from app.queries import cards as card_queries
from app.runtime import Runtime
from app.schemas.redemptions import RedemptionIn, RedemptionOut
from app.services.redemptions import reservations
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_with_role

_MAKE_OVERDUE = text("UPDATE redemptions SET expires_at = :at WHERE id = ANY(:ids)")


@dataclass(frozen=True)
class Counter:
    """A merchant with somebody behind the counter."""

    merchant: Merchant
    staff: TestPerson


async def make_counter(
    runtime: Runtime, *, kind: MerchantKind = MerchantKind.shop, org: Org | None = None
) -> Counter:
    org = org or await make_org(runtime)
    async with runtime.database.transaction() as tx:
        merchant = Merchant(org_id=org.id, name="测试商户", kind=kind)
        tx.add(merchant)
        await tx.flush()
    staff = await make_with_role(runtime, Role.merchant_staff, merchant=merchant.id)
    return Counter(merchant, staff)


async def make_reward(runtime: Runtime, counter: Counter, **changes: Any) -> Reward:
    """Make a reward of 10 points, without bounds unless told."""
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
    }
    async with runtime.database.transaction() as tx:
        reward = Reward(**(values | changes))
        tx.add(reward)
    return reward


async def make_card_codes(
    runtime: Runtime, person: TestPerson, number: int, lifetime: timedelta = timedelta(minutes=1)
) -> list[str]:
    """Make several valid codes at once, as no phone can."""
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
    """Let the time to collect be over."""
    values = {"at": now() - timedelta(seconds=1), "ids": list(redemption_ids)}
    async with runtime.database.transaction() as tx:
        await tx.execute(_MAKE_OVERDUE, values)

"""Lists of redemptions: a person's own, and a subtree's for its organizers and auditors."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.language import named
from app.core.paging import Page, PageParams, by_id, keyset
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import redemptions as queries
from app.queries import shops as shop_queries
from app.schemas.redemptions import MyRedemptionOut, MyRedemptionPlaceOut, RedemptionCaseOut
from app.services import people, records
from app.services.redemptions import reservations

SHOPS = 5  # of each merchant, shown with a redemption


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[MyRedemptionOut]:
    """Return the person's redemptions, newest first."""
    at = now()
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        lambda row: _mine(row, at),
    )


async def mine_with_shops(
    tx: Session, person_id: UUID, asked: PageParams
) -> Page[MyRedemptionPlaceOut]:
    """Return the same, with the open shops of each merchant."""
    page = await mine(tx, person_id, asked)
    shops = await shop_queries.first_of(tx, sorted({one.merchant_id for one in page.items}), SHOPS)
    items = [
        MyRedemptionPlaceOut(
            **dict(one), shops=[dict(shop) for shop in shops.get(one.merchant_id, [])]
        )
        for one in page.items
    ]
    return Page(items=items, next_cursor=page.next_cursor)


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    status: RedemptionStatus | None,
    merchant_id: UUID | None,
    asked: PageParams,
) -> Page[RedemptionCaseOut]:
    """Return the redemptions at merchants of a subtree, newest first.

    Raises OrgNotFound, Forbidden.
    """
    org = await records.authorized(tx, caller, people.READERS, org_id)
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.of_subtree(
            tx, org.path, status, merchant_id, after[0] if after else None, limit
        ),
        lambda row: _case(*row),
        lambda row: (row[0].id,),
    )


def _mine(row: Any, at: datetime) -> MyRedemptionOut:
    names = ("merchant_name", "pickup_place", "pickup_hours")
    shown = reservations.shown_of(row.Redemption, named(row.reward_name, row.reward_name_en), at)
    return MyRedemptionOut.model_validate(shown | {name: getattr(row, name) for name in names})


def _case(one: Redemption, reward: Reward, merchant: str, person: str) -> RedemptionCaseOut:
    return RedemptionCaseOut(
        **one.model_dump(include=set(RedemptionCaseOut.model_fields)),
        reward_name=named(reward.name, reward.name_en),
        merchant_name=merchant,
        display_name=people.masked(person),
    )

"""Redemptions of a subtree, for its organizers, administrators and auditors."""

from uuid import UUID

from app.core.db import Session
from app.core.language import named
from app.core.paging import Page, PageParams, keyset
from app.models.redemptions import Redemption, RedemptionStatus
from app.models.rewards import Reward
from app.queries import redemptions as queries
from app.schemas.redemptions import RedemptionCaseOut
from app.services import people, records


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


def _case(one: Redemption, reward: Reward, merchant: str, person: str) -> RedemptionCaseOut:
    return RedemptionCaseOut(
        **one.model_dump(include=set(RedemptionCaseOut.model_fields)),
        reward_name=named(reward.name, reward.name_en),
        merchant_name=merchant,
        display_name=people.masked(person),
    )

"""What a price may be: a multiple of the step, and that of the published list."""

from app.core.db import Session
from app.core.errors import Refusal
from app.models.reward_lists import RewardList
from app.models.rewards import Reward, RewardState
from app.queries import records as record_queries
from app.services import coverages, orgs
from app.services.policies import history


class PriceStep(Refusal):
    """Facts: ``step`` of the policy, and the ``points`` that are no multiple of it."""

    code, status, title = "rewards.price_step", 422, "Not a multiple of the step"
    zh, en = (
        "兑换价格须为规定步长的整数倍",
        "The price must be a multiple of the step that the points rules state.",
    )
    fact_names = ("step", "points")


class PricedByList(Refusal):
    """Fact: ``number`` of the version that states the price."""

    code, status, title = "rewards.priced_by_list", 409, "Priced by the published list"
    zh, en = (
        "该兑换品的价格由已发布的兑换清单规定，请发布新版清单",
        "The published list states the price of this reward; publish another version.",
    )
    fact_names = ("number",)


async def change(tx: Session, reward: Reward, points: int) -> None:
    """Let an edit give a reward a new price.

    Raises PricesFrozen (of what was published), PriceStep, PricedByList.
    """
    if reward.state != RewardState.draft:
        await coverages.require_unfrozen(tx, reward.org_id)
    await check(tx, reward, points)
    if reward.list_id is not None:
        listed = await record_queries.find(tx, RewardList, reward.list_id)
        raise PricedByList(number=listed.number if listed else None)


async def check(tx: Session, reward: Reward, points: int) -> None:
    """Raise PriceStep unless a reward may have a new price."""
    path = (await orgs.get(tx, reward.org_id)).path
    step = (await history.in_force(tx, path)).document.rewards.price_step
    if points % step:
        raise PriceStep(step=step, points=points)

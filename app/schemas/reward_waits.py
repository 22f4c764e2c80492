"""Wire shapes of queues for rewards that are out of stock."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, Worded
from app.models.reward_waits import RewardWaitState
from app.schemas.base import Out, RewardId
from app.schemas.notify import words

HEADINGS = {
    "reward_id": Bilingual("奖品编号", "Reward id"),
    "reward_name": Bilingual("奖品", "Reward"),
    "ahead": Bilingual("前面人数", "People before"),
    "told_at": Bilingual("通知时间", "Told at (Shanghai)"),
}


VALUES = {
    RewardWaitState: {
        RewardWaitState.waiting: ("排队中", "waiting"),
        RewardWaitState.told: ("已通知到货", "told"),
        RewardWaitState.reserved: ("已预约", "reserved"),
        RewardWaitState.lapsed: ("未及时预约", "lapsed"),
        RewardWaitState.left: ("已退出", "left"),
    },
}
NOTICES = {
    "reward_back_in_stock": words(
        ("到货提醒", "Back in stock"),
        "您排队的「{reward}」已到货，{until:time} 前按排队顺序只通知了有货的人数，先到先得。",
        "“{reward}”, for which you queued, is back: first come, first served. Others in the"
        " queue are told after {until:time}.",
    ),
}


class RewardWaitOut(Out):
    """A place in the queue of a reward."""

    id: UUID = Field(description="Id of the place in the queue.")
    reward_id: RewardId
    reward_name: Worded = Field(description="Name of the reward.")
    state: RewardWaitState = Field(description="State of the place.")
    ahead: int = Field(description="How many people wait before the caller; 0 once told.")
    created_at: datetime = Field(description="Since when, in UTC.")
    told_at: datetime | None = Field(
        description="When the caller was told that there are some, in UTC; null: not yet."
    )

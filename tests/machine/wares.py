"""What ``SpendingMachine`` sells, and by which policy."""

from datetime import timedelta
from typing import NamedTuple

CONFIRM_ABOVE, PERSON_DAY, SILVER, GRACE = 12, 40, 60, timedelta(days=3)
POLICY = f"""
[programme]
name = "消费状态机的积分办法"
unit = "points"
[caps]
day = 100
emergency_day = 100
month = 2000
year = 20000
[lots]
months = 1
[card]
grace_days = {GRACE.days}
[charges]
confirm_above = {CONFIRM_ABOVE}
person_day = {PERSON_DAY}
[release.rotating_code]
[release.manual]
reviewers = 1
[rules.honour]
name = "表扬"
category = "honour"
per = "item"
points = 1
up_to = 100
[[tiers]]
key = "sprout"
name = "青芽卡"
points_12m = 0
hours_12m = 0
benefits = "无"
[[tiers]]
key = "silver"
name = "银卡"
points_12m = {SILVER}
hours_12m = 0
benefits = "无"
"""


class Goods(NamedTuple):
    """A reward: its price, stock and limit of a person, both of a month if ``monthly``."""

    points: int
    stock: int | None
    limit: int | None
    monthly: bool
    tier: int = 0


GOODS = {
    "soap": Goods(7, 4, 2, monthly=True),
    "tea": Goods(5, 3, None, monthly=False),
    "medal": Goods(4, None, None, monthly=False, tier=1),
}
STOCKED = [name for name, goods in GOODS.items() if goods.stock is not None]

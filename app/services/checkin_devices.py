"""Phones with which several people check in: at most so many a day (docs/decisions/0049)."""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date
from app.core.distinct import DistinctQuota
from app.core.errors import Refusal
from app.core.redis import Breaker, Redis
from app.core.validation_messages import invalid

# The people of a family that share a phone; of a day in Asia/Shanghai.
MOST_PEOPLE = 5
KEPT_S = 24 * 3600  # a set is of one day
HEADER = "x-device-token"
MAX_TOKEN = 64  # characters


class DeviceUsed(Refusal):
    """Fact: how many people may check in with one phone on a day."""

    code, status, title = "checkins.device_used", 409, "Device used by others"
    zh = "今天已有多人使用此手机签到，请现场工作人员协助签到"
    en = "Too many people checked in with this phone today; the steward at the door checks you in."
    fact_names = ("limit",)


def quota(redis: Redis, breaker: Breaker) -> DistinctQuota:
    """Return the quota of people of a phone."""
    return DistinctQuota(redis, breaker, "phone", MOST_PEOPLE, KEPT_S)


async def admit(users: DistinctQuota, token: str, person_id: UUID, at: datetime) -> None:
    """Count the person among those of a phone's token. Raises Invalid, DeviceUsed.

    While Redis is down everybody is admitted.
    """
    if not 1 <= len(token) <= MAX_TOKEN or not token.isascii() or not token.isprintable():
        raise invalid(f"header.{HEADER}", "应为 1 至 64 个可见字符", "expected 1 to 64 characters")
    if not await users.admits(f"{local_date(at)}:{token}", str(person_id)):
        raise DeviceUsed(limit=MOST_PEOPLE)

"""The stop of the tour at lists of rewards: versions, codes, proxies, queues, donations."""

from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

STREET_ID = str(fixed_id(0, STREET))


async def _donations(tour: Caller) -> None:
    await tour.do("alice", "donatePoints")
    await tour.do("alice", "getMyHonour")
    await tour.do("alice", "listHonours", org_id=STREET_ID)
    await tour.do("alice", "chooseHonour")


async def _lists(tour: Caller) -> None:
    later = {"effective_from": (now() + timedelta(days=30)).isoformat()}
    made = await tour.do("organizer", "publishRewardList", later, org_id=STREET_ID)
    await tour.do("alice", "listRewardLists", org_id=STREET_ID)
    await tour.do("alice", "getRewardList", reward_list_id=made["id"])
    await tour.do("organizer", "withdrawRewardList", reward_list_id=made["id"])


async def _vouchers(tour: Caller) -> None:
    film = await _reward(tour, key="film_code", kind="voucher")
    await tour.do("organizer", "addVoucherCodes", **film)
    await tour.do("organizer", "getVoucherStock", **film)
    watched = await tour.do("alice", "redeem", film)
    shown = await tour.do("alice", "getMyVoucherCodes", redemption_id=watched["id"])
    await tour.do("merchant2", "useVoucher", {"code": shown["codes"][0]})


async def _proxies(tour: Caller) -> None:
    soap = await _reward(tour, key="soap_by_proxy")
    held = await tour.do("alice", "redeem", soap)
    place = {"redemption_id": held["id"]}
    await tour.do("alice", "makeProxy", **place)
    await tour.do("alice", "getProxy", **place)
    await tour.do("alice", "revokeProxy", **place)
    await tour.do("alice", "cancelRedemption", **place)


async def _queues(tour: Caller) -> None:
    gone = await _reward(tour, key="sold_out", stock=0)
    place = await tour.do("alice", "waitForReward", **gone)
    await tour.do("alice", "listMyRewardWaits")
    await tour.do("alice", "stopWaiting", reward_wait_id=place["id"])


async def _reward(tour: Caller, **changes: Any) -> dict[str, str]:
    """Publish a reward of one point; return its id, as a body or an input names it."""
    made = await tour.do("organizer", "createReward", {"points": 1} | changes)
    place = {"reward_id": made["id"]}
    await tour.do("organizer", "setRewardStatus", **place)
    return place


STOPS = (_donations, _lists, _vouchers, _proxies, _queues)

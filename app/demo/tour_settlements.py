"""Stops of the tour: an agreement with the café, its settled months, a disputed line."""

from datetime import date
from typing import Any

from app.core.clock import local_date, month_start
from app.demo.caller import Caller
from app.demo.cast import MERCHANT_IDS, STREET, fixed_id

STREET_ID, CAFE = str(fixed_id(0, STREET)), str(MERCHANT_IDS["merchant"])


async def agree(tour: Caller) -> None:
    made = await tour.do("organizer", "proposeAgreement")
    place = {"agreement_id": made["id"]}
    await tour.do("merchant", "getAgreement", **place)
    await tour.do("merchant", "moveAgreement", {"state": "declined"}, **place)
    await tour.do("organizer", "listAgreements", org_id=STREET_ID)
    await tour.do("merchant", "listOurAgreements")


async def settle(tour: Caller) -> None:
    """Settle the month after those of the demonstration data, and dispute a line of one."""
    settled = (await tour.do("organizer", "listSettlements", org_id=STREET_ID))["items"]
    month = _after(max(one["month"] for one in settled))
    asked = {"merchant_id": CAFE, "month": month}
    await tour.do("organizer", "getMerchantMonth", org_id=STREET_ID, **asked)
    await tour.do("organizer", "settleMonth", {"month": month})
    await tour.do("merchant", "listOurSettlements")
    await tour.do("merchant", "getOurMonth")
    place = {"settlement_id": next(one["id"] for one in settled if one["due_cents"] > 0)}
    await tour.do("organizer", "markSettlementPaid", **place)
    lines: dict[str, Any] = await tour.do("merchant", "listSettlementLines", **place)
    line = {"transfer_id": lines["items"][0]["id"]}
    made = await tour.do("merchant", "disputeLine", line, **place)
    await tour.do("organizer", "answerDispute", dispute_id=made["id"], **place)
    await tour.do("merchant", "getSettlement", **place)


def _after(month: str) -> str:
    first = date.fromisoformat(f"{month}-01")
    return f"{local_date(month_start(first.year, first.month, plus=1)):%Y-%m}"


STOPS = (agree, settle)

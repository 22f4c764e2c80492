"""The stop of the tour at a redemption day: drafted, ordered, handed over, and closed."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core import base64url
from app.core.clock import now
from app.core.signed_handovers import HandOver
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

STREET_ID = str(fixed_id(0, STREET))
SOAP, TOOTHPASTE, DONATION = (str(fixed_id(3, place)) for place in (1, 2, 15))
COUNTER = "merchant2"
START_S, OPEN_S, WALK_INS_S = 6, 15, 10


async def _day(tour: Caller) -> None:
    """The day of the example is in years; the one that is played is open now."""
    draft = await tour.do("organizer", "createRedemptionDay")
    kept = {"redemption_day_id": draft["id"]}
    await tour.do("organizer", "editRedemptionDay", version=draft["version"], **kept)
    for one in (await tour.do("alice", "listMyRedemptions"))["items"]:  # she needs her points
        if one["status"] == "reserved":
            await tour.do("alice", "cancelRedemption", redemption_id=one["id"])
    begun = now()
    made = await tour.do("organizer", "createRedemptionDay", _open_now())
    day = {"redemption_day_id": made["id"]}
    shown = await tour.do("organizer", "publishRedemptionDay", **day)
    item, other, cheap = (one["id"] for one in shown["items"])
    card = (await tour.do(COUNTER, "getMyCard"))["card_no"]  # a steward: no longer on the staff
    counter = {"counter_id": shown["counters"][0]["id"], "card_no": card}
    steward = await tour.do("organizer", "addStewardOfDay", counter, **day)
    await tour.do("organizer", "listStewardsOfDay", **day)
    wanted = {"item_id": item, "slot_id": shown["slots"][0]["id"]}
    order = await tour.do("alice", "orderOnDay", wanted, **day)
    await tour.do("alice", "listRedemptionDays", org_id=STREET_ID)
    await tour.do(COUNTER, "listOrdersOfDay", **day)
    instead = {"order_id": order["id"], "item_id": other, "card_code": None}
    proposed = await tour.do(COUNTER, "proposeSubstitute", instead, **day)
    await tour.do("alice", "getRedemptionDay", **day)
    await tour.do("alice", "answerSubstitute", substitution_id=proposed["id"], **day)
    await _until(begun, START_S)  # a substitute is answered before it: the day may be offline
    await _offline(tour, day)
    shown_code = {"card_code": await _code(tour, "alice"), "pickup_code": None}
    for operation in ("previewGoods", "handOverGoods"):
        await tour.do(COUNTER, operation, shown_code, **day)
    await tour.do("organizer", "moveStockOfDay", item_id=item, **day)
    await _until(begun, OPEN_S)
    await tour.do(
        COUNTER, "walkIn", {"item_id": cheap, "card_code": await _code(tour, "alice")}, **day
    )
    await _until(begun, OPEN_S + WALK_INS_S)
    await tour.do("organizer", "removeStewardOfDay", steward_id=steward["id"], **day)
    report = await tour.do("organizer", "getDayReport", **day)
    counts = [{"item_id": one["item_id"], "left": one["expected"]} for one in report["items"]]
    await tour.do("organizer", "closeRedemptionDay", {"counts": counts}, **day)


async def _offline(tour: Caller, day: dict[str, Any]) -> None:
    """A counter gets its list; it uploads an order that is none of the day."""
    key = Ed25519PrivateKey.generate()
    public = {"public_key": base64url.encode(key.public_key().public_bytes_raw())}
    device = (await tour.do("organizer", "registerDevice", public))["id"]
    await tour.do(COUNTER, "getCounterList", device_id=device, **day)
    sent_ms = int(now().timestamp() * 1000)
    event = HandOver(UUID(device), 1, UUID(day["redemption_day_id"]), UUID(int=1), sent_ms)
    signature = base64url.encode(key.sign(event.text.encode()))
    events = [{"text": event.text, "signature": signature}]
    body = {"device_id": device, "sent_ms": sent_ms, "events": events}
    await tour.do(COUNTER, "uploadHandovers", body, **day)
    await tour.do("organizer", "listOfflineHandovers", **day)


def _open_now() -> dict[str, Any]:
    at = now()
    spans = {"opens_at": -3600, "starts_at": START_S, "closes_at": OPEN_S, "walk_ins_at": OPEN_S}
    spans["ends_at"] = spans["offline_until"] = OPEN_S + WALK_INS_S
    times = {name: (at + timedelta(seconds=s)).isoformat() for name, s in spans.items()}
    slot = {"starts_at": times["starts_at"], "ends_at": times["walk_ins_at"], "capacity": 20}
    items = [
        {"reward_id": one, "shelf": shelf, "stock": 20}
        for one, shelf in ((SOAP, "A1"), (TOOTHPASTE, "A2"), (DONATION, "B1"))
    ]
    return times | {"items": items, "slots": [slot]}


async def _until(begun: datetime, seconds: float) -> None:
    left = (begun + timedelta(seconds=seconds) - now()).total_seconds()
    await asyncio.sleep(max(left + 0.5, 0))


async def _code(tour: Caller, user: str) -> str:
    return str((await tour.do(user, "getMyCardCode"))["code"])


STOPS = (_day,)

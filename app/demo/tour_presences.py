"""Stops of the tour at activities that run: codes, posters, stewards, corrections, flags, figures.

Flags come from a job that runs every five minutes: one is decided only if the job has found it.
"""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, now
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

STREET_ID = str(fixed_id(0, STREET))
BEGAN, ENDS = timedelta(minutes=100), timedelta(minutes=65)
CAME = timedelta(minutes=90)
# Two of them are checked in by a steward; six tell the same position, which is flagged.
BY_CODE = ("alice", "resident-11", "resident-12", "resident-13", "resident-14", "resident-15")
BY_CARD, IN_LIST = "resident-16", ("resident-17", "resident-18")


async def running(tour: Caller, **changes: Any) -> dict[str, Any]:
    """Publish an activity that runs now; return its place in paths. ``changes``: of its body."""
    at = now().replace(microsecond=0)
    times = {"starts_at": (at - BEGAN).isoformat(), "ends_at": (at + ENDS).isoformat()}
    made = await tour.do("organizer", "createActivity", times | changes)
    place = {"activity_id": made["id"]}
    await tour.do("organizer", "publishActivity", **place)
    return place


async def card_of(tour: Caller, user: str) -> str:
    return str((await tour.do(user, "getMyCard"))["card_no"])


async def _presences(tour: Caller) -> None:
    """Check in and out by the codes on the screen, with a friend; correct one, annul another."""
    place = await running(tour, checks_out=True, signup_terms={"friends": 1})
    for user in (*BY_CODE, BY_CARD, *IN_LIST):
        await tour.do(user, "signUp", {"friends": int(user == BY_CODE[0])}, **place)
    shown = await tour.do("organizer", "getCheckinCode", **place)
    came = [await tour.do(user, "checkIn", {"code": shown["code"]}) for user in BY_CODE]
    await _stewards(tour, place)
    shown = await tour.do("organizer", "getCheckinCode", action="check_out", **place)
    for user in ("alice", "alice", "resident-11"):  # the repeat is answered with the first
        await tour.do(user, "checkOut", {"code": shown["code"]})
    first, second = (one["checkin"]["id"] for one in came[:2])
    await tour.do(BY_CODE[0], "nameFriends", {"names": ["李小梅"]}, checkin_id=first)
    times = {"checked_in_at": (now() - CAME).isoformat(), "checked_out_at": now().isoformat()}
    await tour.do("organizer", "correctCheckin", times, checkin_id=first)
    await tour.do("organizer", "annulCheckin", checkin_id=second)
    await tour.do("organizer", "getLiveView", **place)
    today = {"from": local_date(now()) - timedelta(days=30), "until": local_date(now())}
    await tour.do("organizer", "getAttendanceFigures", org_id=STREET_ID, **today)


async def _stewards(tour: Caller, place: dict[str, Any]) -> None:
    """Check people in by the code of a card, and as a list; then one of them out."""
    code = (await tour.do(BY_CARD, "getMyCardCode"))["code"]
    await tour.do("organizer", "recordAttendance", {"card_code": code}, **place)
    cards = {"card_nos": [await card_of(tour, user) for user in IN_LIST]}
    await tour.do("organizer", "recordAttendanceOfMany", cards, **place)
    left = {"action": "check_out", "card_code": None, "card_no": await card_of(tour, BY_CARD)}
    await tour.do("organizer", "recordAttendance", left, **place)


async def _posters(tour: Caller) -> None:
    place = await running(tour)
    await tour.do("organizer", "listMyActivities")
    await tour.do("organizer", "getActivityPoster", **place)
    poster = await tour.do("organizer", "renewActivityPoster", **place)
    await tour.do("alice", "signUp", **place)
    for _ in "ab":  # the repeat is answered with the first
        await tour.do("alice", "checkIn", {"code": poster["code"]})


async def _flags(tour: Caller) -> None:
    found = await tour.do("organizer", "listFlags", org_id=STREET_ID, state="open")
    for flag in found["items"][:1]:
        await tour.do("organizer", "decideFlag", flag_id=flag["id"])


STOPS = (_presences, _posters, _flags)

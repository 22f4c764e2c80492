"""The stop of the tour at a class: children, who may fetch them, and hand-overs at the door."""

from typing import Any

from app.demo.caller import Caller
from app.demo.tour_presences import card_of, running

SECOND = {"display_name": "张小禾", "birth_date": "2019-03-12"}


async def _children(tour: Caller) -> None:
    """Two children come to a class: one is fetched with a code, one with the guardian's card."""
    first = await tour.do("alice", "addChild")
    second = await tour.do("alice", "addChild", SECOND)
    one, other = ({"child_id": child["id"]} for child in (first, second))
    await tour.do("alice", "updateChild", **one)
    grandmother = await tour.do("alice", "addPickup", **one)
    uncle = {"name": "林知夏", "relation": "舅舅", "card_no": await card_of(tour, "resident-12")}
    await tour.do("alice", "addPickup", uncle, **one)
    title = {"title": "暑托班：书法入门", "for_minors": True, "checks_out": True}
    place = await running(tour, **title)
    for child in (one, other):
        await tour.do("alice", "signUpChild", **child, **place)
        came = {"card_code": None, "person_id": child["child_id"]}
        await tour.do("organizer", "recordAttendance", came, **place)
    named = {"pickup_id": grandmother["id"], **place}
    told = (await tour.do("alice", "makeHandoverCode", named, **one))["code"]
    await _fetched(tour, place, one | {"card_code": None, "handover_code": told})
    shown = (await tour.do("alice", "getMyCardCode"))["code"]
    await _fetched(tour, place, other | {"card_code": shown})
    await tour.do("organizer", "getClassList", **place)
    await tour.do("organizer", "getClassFigures", **place)
    await tour.do("alice", "listMyChildren")
    for operation in ("listChildSignups", "listChildHandovers"):
        await tour.do("alice", operation, **one)


async def _fetched(tour: Caller, place: dict[str, Any], body: dict[str, Any]) -> None:
    await tour.do("organizer", "handOver", body, **place)


STOPS = (_children,)

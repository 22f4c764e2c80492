"""The stop of the tour at quests: drafted, published, visited; posters fetched and replaced."""

from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.caller import Caller
from app.demo.cast import CITY, fixed_id

CITY_ID = str(fixed_id(0, CITY))


async def _quests(tour: Caller) -> None:
    made = await tour.do("organizer", "createQuest")
    place = {"quest_id": made["id"]}
    await tour.do("organizer", "editQuest", version=made["version"], **place)
    await tour.do("organizer", "publishQuest", **place)
    await tour.do("alice", "listQuests", org_id=CITY_ID)
    await tour.do("organizer", "renewPoster", number=2, **place)
    await tour.do("organizer", "closeQuest", **place)
    await _visits(tour)


async def _visits(tour: Caller) -> None:
    """Visit a quest that runs: that of the example is in the next year."""
    at = now()
    body: dict[str, Any] = {
        "starts_at": (at - timedelta(hours=1)).isoformat(),
        "ends_at": (at + timedelta(days=1)).isoformat(),
        "needed": 1,
    }
    quest = await tour.do("organizer", "createQuest", body)
    place = {"quest_id": quest["id"]}
    await tour.do("organizer", "publishQuest", **place)
    poster = await tour.do("organizer", "getPoster", number=1, **place)
    for _ in "ab":  # the repeat is answered with the first visit
        await tour.do("alice", "visitCheckpoint", {"code": poster["code"]})
    await tour.do("alice", "getQuest", **place)


STOPS = (_quests,)

"""The part of the tour in which an activity gets sessions, posts and a rota."""

from app.core.clock import now
from app.demo.caller import Caller


async def _series(tour: Caller) -> None:
    made = await tour.do("organizer", "createActivity", {"minimum_attendance": 1})
    place = {"activity_id": made["id"]}
    evenings = await tour.do("organizer", "createSessions", **place)
    [evening] = evenings["items"]
    await tour.do("organizer", "editSession", version=evening["version"], number=1, **place)
    post = await tour.do("organizer", "createPost", **place)
    await tour.do("organizer", "editPost", version=post["version"], post_id=post["id"], **place)
    rota = {"posts": [{"post_id": post["id"], "needed": 2}], "until": f"{now().year + 1}-05-31"}
    await tour.do("organizer", "createShifts", rota, **place)
    await tour.do("organizer", "publishActivity", **place)
    days = {"since": f"{now().year + 1}-05-04", "until": f"{now().year + 1}-05-31"}
    await tour.do("organizer", "getRota", **days, **place)
    await tour.do("alice", "listSessions", **place)
    await tour.do("alice", "listPosts", **place)
    await tour.do("alice", "getMySeries", **place)
    shifts = await tour.do("organizer", "listSessions", post_id=post["id"], **place)
    shift = {"shift_id": shifts["items"][0]["id"]}
    await tour.do("organizer", "writeShiftNote", **shift)
    await tour.do("organizer", "getShiftNote", **shift)


STOPS = (_series,)

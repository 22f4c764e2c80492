"""A stop of the tour: an organizer logs a page in with the phone."""

from app.demo.caller import Caller

EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)


async def confirm(tour: Caller) -> None:
    page = await tour.network.client.get("/login", headers={"User-Agent": EDGE})
    ticket = page.cookies["qx-ticket"].partition(".")[0]  # what the page's QR code holds
    await tour.do("organizer", "getWebLogin", ticket=ticket)
    await tour.do("organizer", "confirmWebLogin", ticket=ticket)


STOPS = (confirm,)

"""The demonstration data is lived in: three months, made by the services, and it verifies."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI

from app.core.clock import SHANGHAI, now
from app.demo import past, seed, today
from app.demo.cast import STREET, fixed_id
from app.demo.means import Means
from app.jobs.outbox import relay
from app.runtime import Runtime
from tests.factories.clock import travel
from tests.factories.http import in_process
from tests.factories.ledger import assert_ledger_verifies

# Alice's screens, and how many items each has.
SCREENS = {
    "/me/signups": past.WEEKS + past.AHEAD + today.ACTIVITIES,
    "/me/awards": past.WEEKS + 3,  # and three by hand
    "/me/redemptions": len(past.COLLECTED) + 3,  # reserved, undone, cancelled
    "/me/deductions": 1,
}

ACTIVITIES = "/activities?lat=32.2368&lng=119.8267&limit=100"
OF_A_SESSION = ("session_title", "session_starts_at", "session_ends_at")
FUND = f"/orgs/{fixed_id(0, STREET)}/fund"
# Other screens of hers.
ONES = (
    "/me",
    "/me/points",
    "/me/card",
    "/me/card/code",
    "/me/points/entries",
    "/me/notices",
    "/me/certificates",
    "/me/consents",
    "/me/exports",
    "/me/subscriptions",
    ACTIVITIES,
    "/rewards?limit=100",
    "/shops",
    "/leaderboards?around=me",
    "/leaderboards/hours?around=me",
    "/leaderboards/orgs",
    "/awards/notices",
    f"/rewards/{fixed_id(3, 13)}",  # a place, offered for some months
    FUND,
    f"{FUND}/receipts",
)
# What is rightly empty there.
MAY_BE_EMPTY = {
    "/me": {"roles", "honour_year"},  # a resident has none; no points were given to a fund
    "/me/card": {"tier_since", "grace_until", "missing"},  # nobody's tier is about to end
    FUND: {"as_of"},  # until the job has written figures
    # No activity of the data has sessions, asks who may sign up, or offers places.
    "/me/signups": {f"items.{one}" for one in (*OF_A_SESSION, "offer_until")},
    "/me/certificates": {"items.title", "items.sessions", "items.activity_id"},
    ACTIVITIES: {
        *(f"items.eligibility.{one}" for one in ("tiers", "min_age", "max_age", "org_id")),
        *(f"items.mine.{one}.offer_until" for one in ("signup", "signups")),
        *("items.signup_terms.offer_minutes", "items.minimum_attendance"),
    },
}

# A Saturday's last seconds, when the next activity is a week ahead; the first second of a year.
DAYS = (
    datetime(2026, 12, 5, 23, 59, 30, tzinfo=SHANGHAI),
    datetime(2027, 1, 1, 0, 0, 1, tzinfo=SHANGHAI),
)


class _RolledBackError(Exception):
    pass


def _empty(reply: Any) -> set[str]:
    """Return the fields of a reply, ``items.name``, that have no value in any place."""
    found: dict[str, bool] = {}

    def note(value: Any, path: str) -> None:
        if path:
            found[path] = found.get(path, False) or value not in (None, "", [], {})
        if isinstance(value, dict):
            for key, one in value.items():
                note(one, f"{path}.{key}" if path else key)
        if isinstance(value, list):
            for one in value:
                note(one, path)

    note(reply, "")
    return {path for path, is_there in found.items() if not is_there}


async def test_it_can_be_made_on_any_day(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    for day in DAYS:
        with travel(day), suppress(_RolledBackError):
            runtime.database.clock.forget()
            async with runtime.database.transaction() as tx:
                await seed.live(tx, Means.of(runtime.settings))
                raise _RolledBackError
        runtime.database.clock.forget()


async def test_alice_has_something_in_every_screen(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    before = now()
    async with runtime.database.transaction() as tx:
        await seed.live(tx, Means.of(runtime.settings))
    assert abs(now() - before) < timedelta(minutes=2), "the clock is right again"
    await relay(runtime)
    async with in_process(alone) as api:
        made = await api.post("/sandbox/wechat/codes", json={"user": "alice"})
        login = await api.post("/api/v1/auth/wechat", json={"code": made.json()["code"]})
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

        async def items(path: str, **asked: Any) -> list[dict[str, Any]]:
            reply = await api.get(f"/api/v1{path}", headers=headers, params={"limit": 100, **asked})
            found: list[dict[str, Any]] = reply.json()["items"]
            return found

        empty: dict[str, set[str]] = {}
        for path in (*SCREENS, *ONES):
            reply = await api.get(f"/api/v1{path}", headers=headers)
            assert reply.status_code == 200, (path, reply.text)
            if found := _empty(reply.json()) - {"next_cursor"}:
                empty[path] = found
        assert empty == MAY_BE_EMPTY
        coming = await items("/activities", upcoming=True)
        assert {one["mine"]["may_sign_up"] for one in coming} == {True, False}
        signups = [one["mine"]["signup"] for one in coming if one["mine"]["signup"]]
        assert {one["status"] for one in signups} == {"confirmed", "waitlisted"}
        assert {path: len(await items(path)) for path in SCREENS} == SCREENS
        kinds = {one["kind"] for one in await items("/me/notices")}
        assert {"redemption_reserved", "points_charged", "points_deducted"} <= kinds
        entries = await items("/me/points/entries")
        points = (await api.get("/api/v1/me/points", headers=headers)).json()
        assert int(entries[0]["balance_after"]) == points["available"] >= 0
        assert points["held"] > 0
        first = datetime.fromisoformat(entries[-1]["created_at"])
        assert now() - first > timedelta(days=80)
    await assert_ledger_verifies(runtime)

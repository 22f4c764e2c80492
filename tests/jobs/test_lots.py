"""Points end: they leave lot by lot, once, and who has them is told before."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import unwrap
from app.jobs import expiry
from app.jobs.outbox import relay
from app.models.ledger import Kind, Purpose
from app.runtime import Runtime
from app.schemas.deductions import AppealDecisionIn, AppealIn, DeductionIn
from app.schemas.redemptions import RedemptionIn, RefundIn
from app.services import deductions
from app.services.ledger import expiry as ledger_expiry
from app.services.ledger import passbook, posting
from app.services.ledger.types import POINTS, AccountKey, InsufficientPoints, Posted, Posting
from app.services.merchants.access import Staff
from app.services.policies import publishing
from app.services.redemptions import charges, refunds, reservations
from app.services.redemptions.charges import ChargeCommand
from tests.factories.clock import travel
from tests.factories.deductions import belong, deduction_body
from tests.factories.guesses import Uncounted
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_posting
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.points import points
from tests.factories.policies import share_units
from tests.factories.rewards import make_card_codes, make_counter, make_reward

LONG_AGO = timedelta(days=800)
AN_HOUR = timedelta(hours=1)
SHIPPED = Path(__file__).parents[2] / "app" / "data" / "policy.toml"


async def give(
    runtime: Runtime, person: TestPerson, points: int, ends: datetime, org: UUID
) -> UUID:
    """Give points of some time ago that end (or ended) then."""
    return await give_points(
        runtime, person.id, points, expires_at=ends, org=org, at=now() - LONG_AGO
    )


async def charge(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, amount: int
) -> httpx.Response:
    counter = await make_counter(runtime)
    code = (await make_card_codes(runtime, person, 1))[0]
    body = {"card_code": code, "points": amount, "note": ""}
    return await api.post("/api/v1/merchant/charges", headers=keyed(counter.staff), json=body)


async def test_what_has_expired_leaves_to_its_issuer(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, one, other = (
        await make_person(runtime),
        await make_org(runtime),
        await make_org(runtime),
    )
    await give(runtime, person, 5, now() - AN_HOUR, one.id)
    await give(runtime, person, 3, now() - 2 * AN_HOUR, other.id)
    await give(runtime, person, 7, now() + AN_HOUR, one.id)

    await expiry.expire_lots(runtime)

    assert await balance(runtime, person.id) == 7
    assert await balance(runtime, one.id, Purpose.expired) == 5
    assert await balance(runtime, other.id, Purpose.expired) == 3
    entries = (await api.get("/api/v1/me/points/entries", headers=person.headers)).json()["items"]
    assert [(e["kind"], e["direction"], e["points"]) for e in entries[:2]] == [
        ("expiry", "out", 5),
        ("expiry", "out", 3),
    ]
    await expiry.expire_lots(runtime)
    assert await balance(runtime, person.id) == 7, "each lot expires once"
    await assert_ledger_verifies(runtime)


async def test_expired_points_are_gone_before_the_job_takes_them(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await give(runtime, person, 5, now() - AN_HOUR, org.id)
    await give(runtime, person, 7, now() + AN_HOUR, org.id)

    shown = await points(api, person)
    too_much = await charge(api, runtime, person, 8)
    enough = await charge(api, runtime, person, 7)

    assert shown["available"] == 7
    assert_refused(too_much, 409, "points.insufficient")
    assert enough.status_code == 201
    assert (await points(api, person))["available"] == 0
    await expiry.expire_lots(runtime)
    assert await balance(runtime, person.id) == 0
    await assert_ledger_verifies(runtime)


async def test_two_workers_expire_a_lot_once(runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for _ in range(20):
        await give(runtime, person, 1, now() - AN_HOUR, org.id)

    await asyncio.gather(*(expiry.expire_lots(runtime) for _ in range(4)))

    assert await balance(runtime, person.id) == 0
    assert await balance(runtime, org.id, Purpose.expired) == 20
    await assert_ledger_verifies(runtime)


async def test_a_run_that_was_stopped_is_finished_by_the_next(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, org = [await make_person(runtime) for _ in range(4)], await make_org(runtime)
    for person in people:
        await give(runtime, person, 2, now() - AN_HOUR, org.id)
    monkeypatch.setattr(expiry, "BATCH", 1)
    original, calls = ledger_expiry.expire_lots, []

    async def stopped(tx: Session, *, at: datetime, limit: int) -> int:
        calls.append(await original(tx, at, limit))
        if len(calls) == 2:
            raise RuntimeError("killed after the work and before the commit")
        return calls[-1]

    monkeypatch.setattr(ledger_expiry, "expire_lots", stopped)
    with pytest.raises(RuntimeError):
        await expiry.expire_lots(runtime)
    assert sum([await balance(runtime, person.id) for person in people]) > 0

    await expiry.expire_lots(runtime)

    assert [await balance(runtime, person.id) for person in people] == [0] * 4
    assert await balance(runtime, org.id, Purpose.expired) == 8
    await assert_ledger_verifies(runtime)


async def test_a_refund_revives_what_has_expired_for_thirty_days(runtime: Runtime) -> None:
    """Four of the ten were spent from a lot that has ended since, six from one that lives."""
    person, org, shop = await make_person(runtime), await make_org(runtime), UUID(int=99)
    earlier, at = now() - timedelta(days=10), now()
    await give(runtime, person, 4, at - timedelta(days=1), org.id)
    await give(runtime, person, 9, at + timedelta(days=90), org.id)
    spent = _move(person, shop, Kind.charge, 10, org.id)
    back = _move(person, shop, Kind.refund, 10, org.id, closes=spent.id)
    async with runtime.database.transaction() as tx:
        (paid,) = await posting.post(tx, [spent], earlier)
        assert isinstance(paid, Posted)

    async with runtime.database.transaction() as tx:
        (refunded,) = await posting.post(tx, [back], at)
        assert isinstance(refunded, Posted)
        summary = await passbook.summary(tx, person.id, POINTS, at)

    ends = [(one.points, (one.expires_at - at).days) for one in summary.expiring]
    assert (summary.available, ends) == (13, [(4, 30), (9, 90)])
    await assert_ledger_verifies(runtime)


async def test_what_comes_back_lives_as_long_as_the_policy_says(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A charge, a reservation and a deduction, each of points that have ended since."""
    share_units(monkeypatch)
    org, person = await make_org(runtime), await make_person(runtime)
    first, second = [(await make_organizer(runtime, org.id)).id for _ in range(2)]
    counter = await make_counter(runtime, org=org)
    reward = RedemptionIn(reward_id=(await make_reward(runtime, counter, points=4)).id)
    await belong(runtime, org, person)
    breach = DeductionIn.model_validate(deduction_body(org, person))
    charge = ChargeCommand(
        counter.staff.id, (await make_card_codes(runtime, person, 1))[0], 3, note=""
    )
    await give_points(runtime, person.id, 9, expires_at=now() + AN_HOUR, org=org.id)
    async with runtime.database.transaction() as tx:
        twelve_days = SHIPPED.read_text().replace("refund_days = 30", "refund_days = 12")
        await publishing.publish(tx, twelve_days, org=org)
        charged = unwrap(await charges.charge(tx, [charge], now()))
        reserved = await reservations.reserve(tx, person.id, reward)
        deducted = await deductions.deduct(tx, first, breach, Uncounted())
        await deductions.appeal(tx, person.id, deducted.id, AppealIn(reason="当日请假"))

    granted = AppealDecisionIn(granted=True, reason="属实")
    with travel(now() + 2 * AN_HOUR):
        async with runtime.database.transaction() as tx:
            staff, body = Staff(counter.staff.id), RefundIn(reason="退货")
            await refunds.refund(tx, staff, charged.id, body)
            await reservations.cancel(tx, person.id, reserved.id)
            await deductions.decide(tx, second, deducted.id, granted)
            found = (await passbook.summary(tx, person.id, POINTS, now())).expiring
        assert [(one.points, one.expires_at - now()) for one in found] == [(9, timedelta(days=12))]


def _move(
    person: TestPerson, shop: UUID, kind: Kind, amount: int, org: UUID, closes: UUID | None = None
) -> Posting:
    purse, till = AccountKey(person.id, Purpose.available), AccountKey(shop, Purpose.takings)
    payer, payee = (till, purse) if closes else (purse, till)
    return make_posting(
        payer,
        payee,
        amount,
        kind,
        org=org,
        reference=f"test:{kind}:{person.id}",
        source_id=person.id,
        closes_id=closes,
    )


async def notices(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> list[str]:
    await relay(runtime)
    found = (await api.get("/api/v1/me/notices", headers=person.headers)).json()["items"]
    return sorted(one["text"] for one in found)


async def test_people_are_told_sixty_thirty_and_seven_days_ahead(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    ends = {days: now() + timedelta(days=days) for days in (6, 20, 50, 61)}
    for days, end in ends.items():
        await give(runtime, person, days, end, org.id)

    await expiry.announce(runtime)
    await expiry.announce(runtime)

    last_day = {days: local_date(end - timedelta(seconds=1)) for days, end in ends.items()}
    assert await notices(api, runtime, person) == sorted(
        f"您有 {days} 积分将于 {day.year}年{day.month}月{day.day}日 到期，请及时兑换。"
        for days, day in last_day.items()
        if days != 61
    )


async def test_each_number_of_days_is_told_once_as_time_passes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await give(runtime, person, 5, now() + timedelta(days=100), org.id)

    counts = []
    for days_left in (61, 59, 45, 31, 29, 10, 8, 6, 1, -1):
        async with runtime.database.transaction() as tx:
            at = now() + timedelta(days=100 - days_left)
            await ledger_expiry.announce_expiry(tx, POINTS, [60, 30, 7], at, 1_000)
        counts.append(len(await notices(api, runtime, person)))

    assert counts == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


async def test_two_workers_tell_it_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await give(runtime, person, 5, now() + timedelta(days=3), org.id)

    await asyncio.gather(*(expiry.announce(runtime) for _ in range(4)))

    assert len(await notices(api, runtime, person)) == 1


async def test_spending_takes_what_lives_and_ends_first(runtime: Runtime) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for amount, days in ((3, -1), (4, 50), (5, 5)):
        await give(runtime, person, amount, now() + timedelta(days=days), org.id)
    async with runtime.database.transaction() as tx:
        too_much, enough = await posting.post(
            tx,
            [
                _move(person, UUID(int=98), Kind.charge, 10, org.id),
                _move(person, UUID(int=98), Kind.charge, 7, org.id),
            ],
            now(),
        )
        left = (await passbook.summary(tx, person.id, POINTS, now())).expiring

    assert isinstance(too_much, InsufficientPoints)
    assert isinstance(enough, Posted)
    assert [one.points for one in left] == [2]

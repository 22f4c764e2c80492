"""Totals of periods, from those that are kept; ``ledger verify`` recomputes what is kept."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.core.clock import now, period_start
from app.core.errors import unwrap
from app.models.ledger import Kind, Purpose
from app.runtime import Runtime
from app.schemas.ledger import PeriodTotalsOut, TotalsOut
from app.services.ledger import posting, totals
from app.services.ledger.types import MINUTES, POINTS, AccountKey, Posting
from tests.engines import as_owner
from tests.factories.ledger import (
    SOME_ORG,
    assert_ledger_verifies,
    award_posting,
    charge_posting,
    give_points,
    make_posting,
    refund_posting,
    verified,
)

KEPT = text("""
SELECT t.number FROM ledger_totals t JOIN ledger_accounts a ON a.id = t.account_id
WHERE a.owner_id = :owner AND a.unit_id = 1 ORDER BY t.number
""")
OF_HERS = (
    " WHERE account_id IN (SELECT id FROM ledger_accounts WHERE owner_id = '{}') AND number = {}"
)


async def _post(runtime: Runtime, one: Posting, at: datetime) -> None:
    async with runtime.database.transaction() as tx:
        unwrap(await posting.post(tx, [one], at))


async def _read(runtime: Runtime, person: UUID, at: datetime) -> dict[int, PeriodTotalsOut]:
    async with runtime.database.snapshot() as tx:
        return await totals.read(tx, person, POINTS, at)


async def _kept(runtime: Runtime, person: UUID) -> list[int]:
    async with runtime.database.read() as tx:
        return list((await tx.execute(KEPT, {"owner": person})).scalars())


async def _tamper(runtime: Runtime, person: UUID, how: str, number: int) -> None:
    await as_owner(runtime.settings, how + OF_HERS.format(person, number))


def _deduction(person: UUID, amount: int) -> Posting:
    payer, payee = AccountKey(person, Purpose.available), AccountKey(SOME_ORG, Purpose.fund)
    return make_posting(payer, payee, amount, Kind.deduction)


def _minutes(person: UUID, amount: int) -> Posting:
    payer = AccountKey(SOME_ORG, Purpose.fund, MINUTES)
    return make_posting(payer, AccountKey(person, Purpose.available, MINUTES), amount, Kind.award)


PAID = {1: charge_posting, 3: _deduction}


async def test_each_period_has_what_happened_in_it(runtime: Runtime) -> None:
    at = now()
    year, month = period_start(at, "year"), period_start(at, "month")
    before, last, this = [
        one + timedelta(seconds=s) for one, s in ((year, -1), (month, -1), (month, 0))
    ]
    person = uuid4()
    bought = charge_posting(person, 30)
    for moment, one in (
        (before, award_posting(person, 100)),
        (before, _minutes(person, 60)),
        (last, bought),
        (last, _minutes(person, 30)),
        (this, award_posting(person, 20)),
        (this, refund_posting(bought)),
        (this, _deduction(person, 7)),
        (this, _minutes(person, 15)),
    ):
        await _post(runtime, one, moment)

    found = await _read(runtime, person, at)

    def shown(one: TotalsOut) -> tuple[int, ...]:
        return (one.earned, one.spent, one.expired, one.deducted)

    points, minutes = found[POINTS], found[MINUTES]
    assert shown(points.all) == (120, 0, 0, 7)
    assert shown(points.month) == (20, -30, 0, 7)
    is_january = year == month  # the moment before the month is of the year before then
    assert shown(points.year) == ((20, -30, 0, 7) if is_january else (20, 0, 0, 7))
    assert (minutes.all.earned, minutes.month.earned) == (105, 15)
    assert minutes.year.earned == (15 if is_january else 45)


async def test_of_a_long_passbook_few_entries_are_read(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "KEPT_EVERY", 4)
    person, chance = uuid4(), random.Random(5)
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    await give_points(runtime, person, 1000, at=begun)
    expected, at_month = [1000, 0, 0, 0], [0, 0, 0, 0]
    for number in range(2, 31):
        amount, moment = chance.randint(1, 9), begun + timedelta(days=number)
        which = chance.choice([0, 1, 3])
        if moment < period_start(begun + timedelta(days=31), "month"):
            at_month[which] += amount
        expected[which] += amount
        posted = award_posting(person, amount) if which == 0 else PAID[which](person, amount)
        await _post(runtime, posted, moment)
    at_month[0] += 1000

    assert await _kept(runtime, person) == [4, 8, 12, 16, 20, 24, 28]
    found = (await _read(runtime, person, begun + timedelta(days=31)))[POINTS]
    assert [*found.all.model_dump().values()] == expected
    april = [whole - part for whole, part in zip(expected, at_month, strict=True)]
    assert [*found.month.model_dump().values()] == april
    await assert_ledger_verifies(runtime)

    # One that is missing costs time only; a wrong one is shown, and found.
    await _tamper(runtime, person, "DELETE FROM ledger_totals", 12)
    assert (await _read(runtime, person, begun + timedelta(days=31)))[POINTS] == found
    await assert_ledger_verifies(runtime)
    await _tamper(runtime, person, "UPDATE ledger_totals SET spent = spent + 1", 28)
    [wrong] = (await verified(runtime)).differences
    assert wrong.check.startswith("totals: ")
    assert wrong.subject.endswith("number 28")
    shown = (await _read(runtime, person, begun + timedelta(days=31)))[POINTS]
    assert shown.all.spent == found.all.spent + 1
    await _tamper(runtime, person, "UPDATE ledger_totals SET spent = spent - 1", 28)

"""A year of a county: 30,000 points issued and 20,000 redeemed, with every statement balanced.

Fifty residents get 50 points a month each. They spend 1,400 a month at three merchants, and 1,600
on each of two redemption days; what is charged by mistake is refunded, in March, June and September
only in the month after. The first merchant is shared by two organisations. The expected figures
stand in this module; they are compared with settlements, statements, the ledger and the public
figures of the fund.
"""

import secrets
from collections import Counter as Counts
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import local_date, midnight, month_start, now
from app.core.errors import unwrap
from app.core.ids import new_id
from app.jobs import funds
from app.models.ledger import Purpose
from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.redemptions import Redemption
from app.models.rewards import Reward
from app.queries import cards as card_queries
from app.queries.ledger import reading as ledger_queries
from app.queries.ledger.settled import SETTLEMENT_CHECKS
from app.runtime import Runtime
from app.schemas.redemptions import RefundIn
from app.schemas.settlements import (
    DisputeAnswerIn,
    PaymentIn,
    SettlementDetailOut,
    SettlementDisputeIn,
    SettlementIn,
)
from app.services.awards import granting
from app.services.awards.granting import Grant
from app.services.ledger.types import POINTS
from app.services.merchants import statement
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.redemptions import charges, collecting, refunds, undoing
from app.services.redemptions.charges import ChargeCommand
from app.services.redemptions.collecting import CollectCommand
from app.services.settlements import disputes, settling
from tests.engines import as_owner
from tests.factories.clock import travel
from tests.factories.http import in_process, walk
from tests.factories.ledger import verified
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_organizer, make_people
from tests.factories.redemption_days import make_day
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.factories.settlements import make_agreement, settle_down

API = "/api/v1"
PEOPLE, NEIGHBOURS = 50, 10
ISSUED, REDEEMED, ON_DAYS = 30_000, 20_000, 3_200
# Of one person in a month. Day of the month, rule, points: within the caps of a day.
AWARDS = (
    (3, "taskforce_emergency", 24),
    (10, "taskforce_emergency", 24),
    (17, "activity_checkin", 2),
)
CAFE, GROCERY, PIECE = 12, 6, 10  # points
MISTAKE, REFUNDED_LATER = 5, 9
LATE_MONTHS, DAY_MONTHS, UNDONE_IN, DISPUTED_IN = (3, 6, 9), (6, 12), 5, 4
CORRECTION = -50  # cents
KINDS = ("charged", "refunded", "collected", "undone")
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Year:
    """The county. ``settled``: its settlements, in the order in which they were made."""

    api: httpx.AsyncClient
    runtime: Runtime
    year: int
    org: Org
    other: Org
    people: list[TestPerson]
    cafe: Counter
    grocery: Counter
    bookshop: Counter
    book: Reward
    organizer: TestPerson
    second: TestPerson
    settled: list[SettlementDetailOut] = field(default_factory=list)
    to_refund: UUID | None = None

    @property
    def contracts(self) -> list[tuple[Counter, Org]]:
        """Who has an agreement with which organisation."""
        own = [(one, self.org) for one in (self.cafe, self.grocery, self.bookshop)]
        return [*own, (self.cafe, self.other)]

    def at(self, month: int, day: int) -> datetime:
        """Return noon of a day."""
        return midnight(date(self.year, month, day)) + A_DAY / 2

    def logged_in(self, person: TestPerson) -> TestPerson:
        """Return a person with a token of now."""
        token = self.runtime.tokens.sign(person.id, new_id(), now())
        return replace(person, headers={"Authorization": f"Bearer {token}"})

    async def play(self) -> None:
        for month in range(1, 13):
            await self._awards(month)
            with travel(self.at(month, 20)):
                await self._spend(month)
            if month in DAY_MONTHS:
                with travel(self.at(month, 26)):
                    await self._redemption_day(self.people[DAY_MONTHS.index(month) :: 2])
            with travel(month_start(self.year, month, plus=1) + 2 * AN_HOUR):
                await self._close(month)

    async def _awards(self, month: int) -> None:
        for day, key, points in AWARDS:
            at = self.at(month, day)
            with travel(at):
                async with self.runtime.database.transaction() as tx:
                    policy = await history.in_force(tx, self.org.path, at)
                    rule = policy.document.rules[key]
                    rule = rule.model_copy(update={"evidence": [], "release": {}})
                    grants = [
                        Grant(
                            reference=f"year:{new_id()}",
                            person_id=one.id,
                            org_id=self.org.id,
                            policy=policy,
                            rule=rule,
                            points=points,
                            minutes=0,
                            proof="rotating_code",
                            title=rule.name,
                        )
                        for one in self.people
                    ]
                    granted = await granting.grant(tx, grants, at)
                assert {one.award.points for one in granted} == {points}, "no cap is reached"

    async def _spend(self, month: int) -> None:
        """Spend 1,400: 600 and 300 are charged, 500 are collected."""
        if self.to_refund is not None:
            await self._refund(self.to_refund)
            self.to_refund = None
        await self._charge(self.cafe, self.people, CAFE)
        await self._charge(self.grocery, self.people, GROCERY)
        [wrong] = await self._charge(self.cafe, self.people[:1], MISTAKE)
        await self._refund(wrong)
        if month in LATE_MONTHS:
            [self.to_refund] = await self._charge(self.cafe, self.people[-1:], REFUNDED_LATER)
        await self._collect(month, self.people[month % 2 :: 2])

    async def _charge(
        self, counter: Counter, people: Sequence[TestPerson], points: int
    ) -> list[UUID]:
        """Charge people; return the charges."""
        codes = [f"{secrets.randbelow(10**18):018}" for _ in people]
        async with self.runtime.database.transaction() as tx:
            for one, code in zip(people, codes, strict=True):
                assert await card_queries.insert_code(tx, one.id, code, now() + AN_HOUR)
        commands = [ChargeCommand(counter.staff.id, code, points, "日用品") for code in codes]
        async with self.runtime.database.transaction() as tx:
            return [unwrap([one]).id for one in await charges.charge(tx, commands, now())]

    async def _refund(self, charge: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await refunds.refund(tx, Staff(self.cafe.staff.id), charge, RefundIn(reason="多收"))

    async def _collect(self, month: int, people: Sequence[TestPerson]) -> None:
        """Collect two pieces each; in one month a collection is undone and repeated."""
        codes = [(await reserve(self.runtime, one.id, self.book, 2)).pickup_code for one in people]
        staff = self.bookshop.staff.id
        commands = [CollectCommand(staff, code) for code in codes]
        async with self.runtime.database.transaction() as tx:
            done = [unwrap([one]) for one in await collecting.collect(tx, commands, now())]
        if month == UNDONE_IN:
            async with self.runtime.database.transaction() as tx:
                undone = await undoing.undo(tx, Staff(staff), done[0].id, "拿错了")
                anew = await tx.get(Redemption, undone.replaced_by)
                assert anew is not None
                await collecting.collect_one(tx, Staff(staff), anew.pickup_code)

    async def _redemption_day(self, people: Sequence[TestPerson]) -> None:
        """Everybody collects two pieces of 32 points; a third one of somebody's is released."""
        day = await make_day(self.api, self.runtime, 32, 16, org=self.org, stock=60)
        everybody = [self.logged_in(one) for one in people]
        orders = [await day.ordered(one, quantity=2) for one in everybody]
        await day.ordered(everybody[0], 1)
        for order in orders:
            reply = await day.hand_over(order, order_ids=[order["id"]])
            assert reply.status_code == 200, reply.text
        await day.over()
        closed = await day.close()
        assert closed.status_code == 200, closed.text
        report = closed.json()
        assert report["balances"], report
        assert (report["points_collected"], report["ledger_returned"]) == (ON_DAYS // 2, 16)

    async def _close(self, month: int) -> None:
        """Settle the month with every merchant, pay what is due, and close the fund's month."""
        await funds.write_months(self.runtime)
        for counter, org in self.contracts:
            name = f"{self.year}-{month:02}"
            body = SettlementIn(org_id=org.id, merchant_id=counter.merchant.id, month=name)
            async with self.runtime.database.transaction() as tx:
                made = await settling.settle(tx, self.organizer.id, body)
                if made.due_cents > 0:
                    payment = PaymentIn(reference=f"农商行 {name}")
                    made = await settling.mark_paid(tx, self.organizer.id, made.id, payment)
            self.settled.append(made)
        if month == DISPUTED_IN:
            await self._dispute(self.settled[-len(self.contracts)])

    async def _statement(self, counter: Counter, month: str) -> Any:
        async with self.runtime.database.read() as tx:
            days = statement.period_of(month, None, None)
            return await statement.statement(tx, Staff(counter.staff.id), month, days)

    async def _dispute(self, settled: SettlementDetailOut) -> None:
        """Dispute a line of the café, which the next settlement corrects.

        PostgreSQL's clock, which cannot be set, has dated the settlement.
        """
        dated = f"UPDATE settlements SET created_at = '{now()}' WHERE id = '{settled.id}'"  # noqa: S608
        await as_owner(self.runtime.settings, dated)
        staff = self.logged_in(self.cafe.staff)
        lines = await walk(self.api, f"{API}/settlements/{settled.id}/lines", staff.headers)
        body = SettlementDisputeIn(transfer_id=lines[0]["id"], reason="当天已退现金")
        answer = DisputeAnswerIn(upheld=True, correction_cents=CORRECTION, reason="小票核对")
        async with self.runtime.database.transaction() as tx:
            opened = await disputes.open_dispute(tx, staff.id, settled.id, body)
            await disputes.answer(tx, self.second.id, settled.id, opened.id, answer)

    async def wrong(self) -> list[str]:
        """Return what does not balance, as words."""
        found: list[str] = []
        sums: Counts[tuple[UUID, str, str]] = Counts()
        balance: Counts[UUID] = Counts()
        organizer = self.logged_in(self.organizer)
        for counter, org in self.contracts:
            query = {"org_id": str(org.id), "merchant_id": str(counter.merchant.id)}
            path, opening = f"{API}/settlements", 0
            for one in reversed(await walk(self.api, path, organizer.headers, **query)):
                lines = await walk(
                    self.api, f"{path}/{one['id']}/lines", organizer.headers, limit=100
                )
                net = sum(line["points"] for line in lines)
                closing = opening + one["charged"] - one["refunded"]
                closing += one["collected"] - one["undone"]
                if not (one["opening"] == opening and one["closing"] == closing == opening + net):
                    found.append(f"settlement of {one['month']}")
                opening = one["closing"]
                sums.update(
                    {(counter.merchant.id, one["month"], name): one[name] for name in KINDS}
                )
            balance.update({counter.merchant.id: opening})
        for counter in (self.cafe, self.grocery, self.bookshop):
            merchant = counter.merchant.id
            for month in range(1, 13):
                name = f"{self.year}-{month:02}"
                shown = await self._statement(counter, name)
                if any(getattr(shown, kind) != sums[merchant, name, kind] for kind in KINDS):
                    found.append(f"statement of {name}")
            async with self.runtime.database.read() as tx:
                held = await ledger_queries.balances(tx, [merchant])
            if held[merchant, Purpose.takings, POINTS] != balance[merchant]:
                found.append("account of a merchant")
        return found

    async def figures(self, period: str) -> list[dict[str, Any]]:
        """Read the public figures of the fund, oldest first."""
        path = f"{API}/orgs/{self.org.id}/fund/periods"
        return (await walk(self.api, path, period=period))[::-1]


async def _begin(api: httpx.AsyncClient, runtime: Runtime) -> Year:
    """Make the county: agreements from the first of January of next year on."""
    org, other = await make_org(runtime), await make_org(runtime)
    village = await make_org(runtime, parent=other, level=Level.community)
    people = await make_people(runtime, PEOPLE)
    for one in people[:NEIGHBOURS]:
        await settle_down(runtime, one, village)
    cafe, grocery, bookshop = [await make_counter(runtime, org=org) for _ in "abc"]
    organizer, second = [await make_organizer(runtime, org.id) for _ in "ab"]
    async with runtime.database.transaction() as tx:
        await appoint(tx, organizer.id, Role.organizer, org=other.id)
    year = Year(
        *(api, runtime, local_date(now()).year + 1, org, other, people),
        *(cafe, grocery, bookshop, await make_reward(runtime, bookshop, points=PIECE)),
        *(organizer, second),
    )
    since = date(year.year, 1, 1)
    for counter in (cafe, grocery, bookshop):
        await make_agreement(runtime, counter, since=since)
    await make_agreement(
        runtime, cafe, other.id, since=since, cents_per_point=5, subsidy_percent=60
    )
    return year


@pytest.mark.long
async def test_a_year_of_a_county_balances(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    async with in_process(alone) as api:
        year = await _begin(api, runtime)
        await year.play()
        with travel(month_start(year.year + 1, 1) + 3 * AN_HOUR):
            await _public_figures(year)
            takings = sum(one.charged - one.refunded for one in year.settled)
            takings += sum(one.collected - one.undone for one in year.settled)
            assert takings == REDEEMED - ON_DAYS
            shared = NEIGHBOURS * CAFE * 12
            value = (takings - shared) * 10 + shared * 3  # 60 % of 5 cents
            assert sum(one.value_cents for one in year.settled) == value
            assert sum(one.due_cents for one in year.settled) == value + CORRECTION
            assert {one.state for one in year.settled} == {"paid"}
            assert await year.wrong() == []
            assert (await verified(runtime)).differences == []
            await _plant(year)


async def _public_figures(year: Year) -> None:
    """A year is the sum of its quarters, they are the sums of their months, and all are exact."""
    months, quarters = await year.figures("month"), await year.figures("quarter")
    [whole] = await year.figures("year")
    assert (whole["issued"], whole["redeemed"], whole["returned"]) == (ISSUED, REDEEMED, ON_DAYS)
    assert (whole["opening"], whole["closing"]) == (0, ISSUED - REDEEMED)
    assert (whole["expired"], whole["reversed"], whole["is_closed"]) == (0, 0, True)
    for name in ("issued", "redeemed", "returned", "received", "expired", "reversed"):
        of_quarters = [one[name] for one in quarters]
        of_months = [one[name] for one in months]
        assert of_quarters == [sum(of_months[n : n + 3]) for n in range(0, 12, 3)], name
        assert whole[name] == sum(of_quarters) == sum(of_months), name
    assert {one["issued"] for one in months} == {ISSUED // 12}
    assert [one["redeemed"] for one in months] == [
        1400
        + REFUNDED_LATER * (month in LATE_MONTHS)
        - REFUNDED_LATER * (month - 1 in LATE_MONTHS)
        + ON_DAYS // 2 * (month in DAY_MONTHS)
        for month in range(1, 13)
    ]
    async with year.runtime.database.read() as tx:
        held = await ledger_queries.balances(tx, [one.id for one in year.people])
    assert sum(held.values()) == ISSUED - REDEEMED, "what is left is at the residents"


async def _plant(year: Year) -> None:
    """Move a point from a month of a merchant to the next one, as the owner of the database.

    All sums of the year stay right; the months do not.
    """
    first, second = [one for one in year.settled if one.merchant_id == year.grocery.merchant.id][:2]
    await as_owner(
        year.runtime.settings,
        f"UPDATE settlements SET charged = charged - 1, closing = closing - 1"  # noqa: S608
        f" WHERE id = '{first.id}'",
        f"UPDATE settlements SET charged = charged + 1, opening = opening - 1"  # noqa: S608
        f" WHERE id = '{second.id}'",
    )
    january, february = f"{year.year}-01", f"{year.year}-02"
    assert await year.wrong() == [
        *(f"settlement of {january}", f"settlement of {february}"),
        *(f"statement of {january}", f"statement of {february}"),
    ]
    found = [one.check for one in (await verified(year.runtime)).differences]
    assert found.count(SETTLEMENT_CHECKS[0].name) == 2, found

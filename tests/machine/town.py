"""The service as the machine asks it: its verbs for three people, two funds and two counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.clock import now
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.funds import ReceiptKind
from app.models.merchants import MerchantKind
from app.models.orgs import Org
from app.models.rewards import Reward
from app.queries import cards as card_queries
from app.queries.ledger import reading as reading_queries
from app.runtime import Runtime
from app.schemas.awards.proposals import AwardsIn
from app.schemas.funds import ReceiptDecisionIn, ReceiptIn, ReceiptReversalIn
from app.schemas.ledger import PointsOut, ReversalOut
from app.schemas.policies.documents import Proof
from app.schemas.redemptions import ChargeOut, RedemptionIn, RedemptionOut, RefundIn
from app.services import funds
from app.services.awards import granting, proposals, reversal, review
from app.services.awards.granting import Grant
from app.services.ledger import passbook
from app.services.ledger.types import POINTS
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.redemptions import charges, collecting, refunds, reservations
from app.services.redemptions.charges import ChargeCommand
from tests.factories.guesses import Uncounted
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people
from tests.factories.rewards import Counter, make_counter, make_reward
from tests.machine.county import County
from tests.machine.model import LIMITED, SHOP, UNLIMITED

A_MINUTE = timedelta(minutes=1)
_LOTS = """
SELECT a.owner_id, l.expires_at, CAST(sum(l.remaining) AS bigint) AS points
FROM ledger_lots l JOIN ledger_accounts a ON a.id = l.account_id
WHERE a.owner_id = ANY(CAST(:owners AS uuid[])) AND l.remaining > 0
GROUP BY a.owner_id, l.expires_at
"""


Balances = dict[tuple[str | int, str], int]  # by whose (a number is a person) and what for
Lots = dict[tuple[int, datetime], int]  # by whose and their end


class Given(NamedTuple):
    id: UUID
    points: int
    state: str


@dataclass(frozen=True)
class Town:
    """Nothing of it was there before the run."""

    county: County
    people: list[TestPerson]
    organizer: TestPerson
    orgs: dict[str, Org]  # by their funds
    counters: dict[str, Counter]  # by the till that is paid there
    rewards: dict[str, Reward]  # a point each

    @property
    def runtime(self) -> Runtime:
        return self.county.runtime

    async def award(
        self, to: Sequence[tuple[int, int]], fund: str, rule: str, proof: Proof
    ) -> list[Given]:
        async with self.runtime.database.transaction() as tx:
            policy = await history.in_force(tx, self.orgs[fund].path)
            grants = [
                Grant(
                    reference=f"test:{new_id()}",
                    person_id=self.people[who].id,
                    org_id=self.orgs[fund].id,
                    policy=policy,
                    rule=policy.document.rules[rule],
                    points=points,
                    minutes=0,
                    proof=proof,
                    title="测试发放",
                )
                for who, points in to
            ]
            given = [one.award for one in await granting.grant(tx, grants, now())]
        return [Given(one.id, one.points, one.state) for one in given]

    async def propose(self, who: Sequence[int], fund: str, points: int) -> list[Given]:
        body = AwardsIn(
            rule_key="honour",
            org_id=self.orgs[fund].id,
            person_ids=[self.people[one].id for one in who],
            points=points,
            evidence={},
        )
        async with self.runtime.database.transaction() as tx:
            made = await proposals.propose(tx, self.organizer.id, body, Uncounted())
        return [Given(one.award.id, one.award.points, one.award.state) for one in made.items]

    async def approve(self, award: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await review.approve(tx, self.county.reviewer.id, award)

    async def reverse(self, award: UUID, part: int | None) -> ReversalOut:
        administrator = self.county.administrator.id
        async with self.runtime.database.transaction() as tx:
            return await reversal.reverse(tx, administrator, award, "有误", part)

    async def fill(self, points: int) -> UUID:
        body = ReceiptIn(kind=ReceiptKind.donation, points=points, giver="爱心企业")
        administrator, org = self.county.administrator.id, self.orgs[LIMITED].id
        async with self.runtime.database.transaction() as tx:
            return (await funds.receive(tx, administrator, org, body)).id

    async def reverse_receipt(self, receipt: UUID) -> None:
        """Propose and confirm in one transaction: if it is refused, the receipt stands."""
        org = self.orgs[LIMITED].id
        proposed = ReceiptReversalIn(reason="多记一位")
        confirmed = ReceiptDecisionIn(confirmed=True, reason="已核对")
        async with self.runtime.database.transaction() as tx:
            administrator, treasurer = self.county.administrator.id, self.county.treasurer.id
            await funds.propose_reversal(tx, administrator, org, receipt, proposed)
            await funds.decide_reversal(tx, treasurer, org, receipt, confirmed)

    async def charge(self, wanted: Sequence[tuple[int, int]]) -> list[ChargeOut | Refusal]:
        """Charge a list at the shop, each with a code of its own."""
        staff = self.counters[SHOP].staff.id
        async with self.runtime.database.transaction() as tx:
            commands = []
            for who, points in wanted:
                code = f"{new_id().int % 10**18:018}"
                await card_queries.insert_code(tx, self.people[who].id, code, now() + A_MINUTE)
                commands.append(ChargeCommand(staff, code, points, ""))
            return await charges.charge(tx, commands, now())

    async def refund(self, charge: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            staff = Staff(self.counters[SHOP].staff.id)
            await refunds.refund(tx, staff, charge, RefundIn(reason="退货"))

    async def reserve(self, who: int, points: int, till: str) -> RedemptionOut:
        body = RedemptionIn(reward_id=self.rewards[till].id, quantity=points)
        async with self.runtime.database.transaction() as tx:
            return await reservations.reserve(tx, self.people[who].id, body)

    async def collect(self, pickup_code: str, till: str) -> None:
        async with self.runtime.database.transaction() as tx:
            await collecting.collect_one(tx, Staff(self.counters[till].staff.id), pickup_code)

    async def cancel(self, who: int, redemption: UUID) -> None:
        async with self.runtime.database.transaction() as tx:
            await reservations.cancel(tx, self.people[who].id, redemption)

    async def look(self, who: int) -> PointsOut:
        """Show somebody her points, as ``GET /me/points`` does."""
        async with self.runtime.database.snapshot() as tx:
            return await passbook.summary(tx, self.people[who].id, POINTS, now())

    async def found(self) -> tuple[Balances, Lots]:
        """Read every balance that is not 0, and what is left in lots, ended or not."""
        people = {one.id: n for n, one in enumerate(self.people)}
        names: dict[UUID, str | int] = {**people}
        names |= {org.id: fund for fund, org in self.orgs.items()}
        names |= {one.merchant.id: f"takings of {till}" for till, one in self.counters.items()}
        async with self.runtime.database.read() as tx:
            found = await reading_queries.balances(tx, list(names))
            lots = await tx.fetch(_LOTS, {"owners": list(people)})
        return (
            {(names[owner], purpose): n for (owner, purpose, _), n in found.items() if n},
            {(people[row.owner_id], row.expires_at): row.points for row in lots},
        )


async def make_town(county: County) -> Town:
    runtime = county.runtime
    orgs = {
        UNLIMITED: await make_org(runtime, parent=county.root),
        LIMITED: await make_org(runtime, parent=county.frugal),
    }
    counters = {
        SHOP: await make_counter(runtime, org=orgs[UNLIMITED]),
        LIMITED: await make_counter(runtime, org=orgs[LIMITED], kind=MerchantKind.fund_counter),
    }
    rewards = {till: await make_reward(runtime, one, points=1) for till, one in counters.items()}
    people = await make_people(runtime, 3)
    organizer = await make_organizer(runtime, county.root.id)
    return Town(county, people, organizer, orgs, counters, rewards)

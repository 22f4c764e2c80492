"""Crowds for a load: people with tokens, places at activities, points, cards, counters.

Everything comes into being through the services' own commands, in long lists, but for
the people: a hundred thousand logins would be a load of their own.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, cycle, islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text

from app.core.clock import now
from app.core.ids import new_id
from app.demo.cast import STREET
from app.models.activities import Activity, ActivityStatus, Category
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant, MerchantKind, MerchantState
from app.models.orgs import Org
from app.models.people import Role
from app.models.rewards import Reward, RewardKind, RewardPeriod, RewardState
from app.queries import activities as activity_queries
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.runtime import Runtime
from app.services import checkins, roles, signups
from app.services.checkins import Recorded, Scan
from app.services.ledger import posting
from app.services.ledger.types import POINTS, AccountKey, HoldTerms, Posted, Posting
from app.services.redemptions import holding
from app.services.signups import Claim, Claimed

LIST = 1000
PRICE = 3  # of what is collected
# How many rows one statement of a preparation makes: it has a time-out too.
WAVE = 4_000
_numbers = count(1)
Item = TypeVar("Item")

_PEOPLE = text("""
WITH made AS (
    INSERT INTO people (openid_index, openid_sealed, display_name)
    SELECT sha256(convert_to(CAST(:wave AS text) || n, 'UTF8')), '', '居民' || n
    FROM generate_series(1, :number) n RETURNING id
)
INSERT INTO cards (person_id) SELECT id FROM made RETURNING person_id
""")

_CODES = text("""
INSERT INTO card_codes (code, person_id, expires_at)
SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:people AS uuid[]),
                     CAST(:expiries AS timestamptz[]))
""")


_RESERVATIONS = text("""
INSERT INTO redemptions (id, person_id, reward_id, merchant_id, quantity, points, unit_id, status,
    pickup_code, stock_period_start, expires_at, created_at)
SELECT k.id, k.person_id, w.id, w.merchant_id, 1, w.points, :unit, 'reserved', k.code, :at,
    :expires_at, :at
FROM unnest(CAST(:ids AS uuid[]), CAST(:people AS uuid[]), CAST(:rewards AS uuid[]),
            CAST(:codes AS text[])) k(id, person_id, reward_id, code)
JOIN rewards w ON w.id = k.reward_id
""")


@dataclass(frozen=True)
class Resident:
    id: UUID
    token: str


class Crowd:
    """Makes what a load needs in the database of a running service."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def residents(self, number: int) -> list[Resident]:
        """Make people with cards, each with a fresh token."""
        ids: list[UUID] = []
        while len(ids) < number:
            wave = {"wave": f"wave {next(_numbers)} ", "number": min(WAVE, number - len(ids))}
            async with self._runtime.database.transaction() as tx:
                ids += (await tx.execute(_PEOPLE, wave)).scalars()
        return [Resident(one, self._token(one)) for one in ids]

    async def activities(
        self,
        number: int,
        creator: Resident,
        *,
        rule: str,
        capacity: int | None = None,
        checks_out: bool = False,
        minutes_ago: int = 5,
    ) -> list[Activity]:
        """Make activities that run now, and began so many minutes ago."""
        org, at = await self.org(), now()
        made = [
            Activity(
                org_id=org.id,
                org_path=org.path,
                title=f"清明植树 {n}",
                description="",
                category=Category.volunteer_service,
                status=ActivityStatus.published,
                starts_at=at - timedelta(minutes=minutes_ago),
                ends_at=at + timedelta(hours=2),
                signup_opens_at=at - timedelta(days=1),
                signup_closes_at=at + timedelta(hours=1),
                capacity=capacity,
                rule_key=rule,
                checks_out=checks_out,
                created_by=creator.id,
            )
            for n in range(number)
        ]
        async with self._runtime.database.transaction() as tx:
            for activity in made:
                await activity_queries.insert(tx, activity)
        return made

    async def sign_up(self, people: Sequence[Resident], places: Sequence[Activity]) -> None:
        """Give each person a place at one of the activities, by turns."""
        claims = [
            Claim(place.id, one.id) for one, place in zip(people, cycle(places), strict=False)
        ]
        for part in lists(claims):
            async with self._runtime.database.transaction() as tx:
                outcomes = await signups.claim(tx, part, now())
            assert all(isinstance(one, Claimed) for one in outcomes)

    async def give_points(self, people: Sequence[Resident], points: int) -> None:
        """Post points to each person, without the award that they would be of."""
        org, at = await self.org(), now()
        fund = AccountKey(org.id, Purpose.fund)
        for part in lists(people):
            postings = [
                Posting(
                    id=(award := new_id()),
                    payer=fund,
                    payee=AccountKey(one.id, Purpose.available),
                    amount=points,
                    kind=Kind.award,
                    reason="活动参与",
                    reference=f"bench:{award}",
                    source_type="bench",
                    source_id=award,
                    org_id=org.id,
                    expires_at=at + timedelta(days=700),
                )
                for one in part
            ]
            async with self._runtime.database.transaction() as tx:
                assert all(isinstance(one, Posted) for one in await posting.post(tx, postings, at))

    async def card_codes(self, people: Sequence[Resident]) -> list[str]:
        """Show everybody's card: a code each."""
        codes = [f"{secrets.randbelow(10**18):018}" for _ in people]
        for part in lists(list(zip(codes, people, strict=True)), WAVE):
            values = {
                "codes": [code for code, _ in part],
                "people": [one.id for _, one in part],
                "expiries": [now() + timedelta(minutes=10)] * len(part),
            }
            async with self._runtime.database.transaction() as tx:
                await tx.execute(_CODES, values)
        return codes

    async def reservations(
        self, people: Sequence[Resident], staff: Sequence[Resident]
    ) -> list[str]:
        """Reserve a thing for each person who has the points, at the counters by turns: codes."""
        org, at = await self.org(), now()
        rewards = await self._rewards(staff)
        expires_at = at + timedelta(days=7)
        terms = HoldTerms(expires_at, "兑换退回", timedelta(days=30))
        codes: list[str] = []
        for part in lists(list(zip(people, cycle(rewards), strict=False))):
            holds = [
                Posting(
                    id=(hold := new_id()),
                    payer=AccountKey(one.id, Purpose.available),
                    payee=AccountKey(one.id, Purpose.held),
                    amount=PRICE,
                    kind=Kind.hold,
                    reason="兑换预留",
                    reference=f"redemption:{hold}:hold",
                    source_type="redemption",
                    source_id=hold,
                    org_id=org.id,
                    terms=terms,
                )
                for one, _ in part
            ]
            made = [holding.pickup_code() for _ in part]
            values = {
                "ids": [one.id for one in holds],
                "people": [one.id for one, _ in part],
                "rewards": [reward for _, reward in part],
                "codes": made,
                "unit": POINTS,
                "at": at,
                "expires_at": expires_at,
            }
            async with self._runtime.database.transaction() as tx:
                assert all(isinstance(one, Posted) for one in await posting.post(tx, holds, at))
                await tx.execute(_RESERVATIONS, values)
            codes += made
        return codes

    async def _rewards(self, staff: Sequence[Resident]) -> list[UUID]:
        """Make a reward at the merchant of each member of staff."""
        async with self._runtime.database.transaction() as tx:
            places = await people_queries.merchants_of(tx, [one.id for one in staff])
            made = {}
            for place in {one.merchant_id: one for [one] in places.values()}.values():
                reward = made[place.merchant_id] = thing(place.org_id, place.merchant_id)
                tx.add(reward)
            await tx.flush()
            return [made[places[one.id][0].merchant_id].id for one in staff]

    async def staff(
        self, merchants: int, each: int, kind: MerchantKind = MerchantKind.shop
    ) -> list[Resident]:
        """Open counters with so many people behind each."""
        org = await self.org()
        everybody = await self.residents(merchants * each)
        async with self._runtime.database.transaction() as tx:
            for place in range(merchants):
                merchant = Merchant(
                    org_id=org.id,
                    name=f"商户 {place}",
                    kind=kind,
                    state=MerchantState.active,
                )
                tx.add(merchant)
                await tx.flush()
                for one in everybody[place::merchants]:
                    await roles.appoint_staff(tx, None, one.id, merchant.id)
        return everybody

    async def organizers(self, number: int) -> list[Resident]:
        """Make organizers of the organisation of all activities."""
        org, people = await self.org(), await self.residents(number)
        async with self._runtime.database.transaction() as tx:
            for one in people:
                await roles.appoint_at_org(tx, None, one.id, Role.organizer, org.id)
        return people

    async def org(self) -> Org:
        async with self._runtime.database.read() as tx:
            found = await org_queries.find_by_code(tx, STREET)
        assert found is not None, "the demonstration data holds it"
        return found

    def _token(self, person_id: UUID) -> str:
        return self._runtime.tokens.sign(person_id, new_id(), now())


def thing(org_id: UUID, merchant_id: UUID) -> Reward:
    """Return a reward of ``PRICE`` points, of which there is no end."""
    return Reward(
        org_id=org_id,
        merchant_id=merchant_id,
        key=f"soap_{secrets.token_hex(6)}",
        name="香皂",
        kind=RewardKind.goods,
        points=PRICE,
        stock=None,
        stock_period=RewardPeriod.session,
        min_tier="sprout",
        state=RewardState.published,
    )


async def check_in(runtime: Runtime, scans: Sequence[Scan]) -> None:
    """Check a list in, as a batch of requests is. Everybody must be new there."""
    async with runtime.database.transaction() as tx:
        outcomes = await checkins.record(tx, scans, now())
    assert all(isinstance(one, Recorded) and one.is_new for one in outcomes), outcomes[0]


def lists(items: Sequence[Item], size: int = LIST) -> Iterator[list[Item]]:
    """Cut into lists of at most ``size``."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part

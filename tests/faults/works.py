"""Work for every job, by the thousand, and what must be true when it is done: nothing twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.core.ids import new_id
from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.policies.documents import Proof
from app.services.awards import granting
from app.services.awards.granting import Grant
from app.services.ledger import posting, seals
from app.services.policies import history
from bench.crowd import Crowd, Resident, lists
from tests.factories.funds import make_limited, receive
from tests.factories.ledger import award_posting, make_debt
from tests.factories.rewards import make_counter, make_overdue, make_reward, reserve

A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
PEOPLE, FUNDS, HOLDS, OWING, TOLD = 2_000, 8, 300, 40, 600
POINTS, ENDED, ENDING, PRICE = 4, 3, 12, 10
HISTORY = (75, 40)  # days ago, in two months: to close them, and to seal each day since
AT_ONCE = 500

_LEFT = {
    "awards to release": """
        SELECT count(*) FROM awards WHERE state IN ('pending', 'notice') AND release_at <= now()""",
    "lots to empty": """
        SELECT count(*) FROM ledger_lots
        WHERE remaining > 0 AND expires_at < now() - INTERVAL '10 minutes'""",
    "awards to pay": "SELECT count(*) FROM awards WHERE state = 'pending_budget'",
    "holds to release": """
        SELECT count(*) FROM redemptions WHERE status = 'reserved' AND expires_at <= now()""",
    "messages": "SELECT count(*) FROM outbox WHERE handled_at IS NULL",
    "people to tell": "SELECT :told - count(*) FROM expiry_notices",
    "months to close": """
        SELECT count(DISTINCT m.month) FROM (
            SELECT CAST(date_trunc('month', created_at AT TIME ZONE 'Asia/Shanghai') AS date)
                   AS month
            FROM ledger_transfers
            WHERE created_at < date_trunc('month', now() - INTERVAL '10 minutes', 'Asia/Shanghai')
        ) m
        WHERE NOT EXISTS (SELECT FROM fund_months f
                          WHERE f.month = m.month AND f.closed_at IS NOT NULL)""",
}

# Of each thing how often it was done, where that is not once.
_WRONG = {
    "releases": """
        SELECT a.id FROM awards a LEFT JOIN ledger_transfers t
          ON t.source_id = a.id AND t.kind = 'release'
        WHERE a.rule_key = 'volunteer_hour' AND a.release_at IS NOT NULL
        GROUP BY a.id HAVING count(t.id) <> 1""",
    "hours": """
        SELECT a.id FROM awards a LEFT JOIN ledger_transfers t
          ON t.source_id = a.id AND t.unit_id <> a.unit_id
        WHERE a.minutes > 0 AND a.state = 'available' GROUP BY a.id HAVING count(t.id) <> 1""",
    "payments": """
        SELECT a.id FROM awards a LEFT JOIN ledger_transfers t
          ON t.source_id = a.id AND t.kind = 'award' AND t.unit_id = a.unit_id
        GROUP BY a.id HAVING count(t.id) <> 1""",
    "funds": "SELECT id FROM ledger_accounts WHERE purpose = 'budget' AND balance <> 0",
    "debts": "SELECT id FROM ledger_accounts WHERE purpose = 'debt' AND balance <> 0",
    "lots": """
        SELECT l.id FROM ledger_lots l LEFT JOIN ledger_transfers t
          ON t.source_id = l.id AND t.kind = 'expiry' AND t.amount = l.amount
        WHERE l.expires_at < now() - INTERVAL '10 minutes'
        GROUP BY l.id HAVING count(t.id) <> 1 OR l.remaining <> 0""",
    "notices": """
        SELECT e.person_id FROM expiry_notices e LEFT JOIN notices n
          ON n.person_id = e.person_id AND n.kind = 'points_expiring'
        GROUP BY e.person_id HAVING count(n.id) <> 1""",
    "award notices": """
        SELECT a.id FROM awards a LEFT JOIN notices n
          ON n.subject_id = a.id AND n.kind = 'award_paid' AND n.person_id = a.person_id
        WHERE a.state = 'available' GROUP BY a.id HAVING count(n.id) <> 1""",
    "holds": """
        SELECT r.id FROM redemptions r LEFT JOIN ledger_transfers t ON t.closes_id = r.id
        GROUP BY r.id, r.status HAVING count(t.id) <> 1 OR r.status <> 'expired'""",
    "goods": """
        SELECT s.reward_id FROM reward_stocks s JOIN rewards r ON r.id = s.reward_id
        WHERE s.remaining <> r.stock""",
    "proposals": """
        SELECT proposal_id FROM awards WHERE proposal_id IS NOT NULL
        GROUP BY proposal_id HAVING count(*) <> :at_once""",
}

_MONTHS = text("""
SELECT org_id, unit_id, month, issued, available, pending, held, spent, expired, reversed,
       received, returned
FROM fund_months WHERE closed_at IS NOT NULL ORDER BY org_id, unit_id, month
""")


@dataclass(frozen=True)
class Works:
    """Seeds work through the services, with no job running."""

    runtime: Runtime
    crowd: Crowd

    async def prepare(self) -> None:
        street, people = await self.crowd.org(), await self.crowd.residents(PEOPLE)
        for days in HISTORY:
            await self._lots(people, street, ENDED, ends=now() - AN_HOUR, at=now() - days * A_DAY)
        await self._lots(people[:TOLD], street, ENDING, ends=now() + 20 * A_DAY, at=now())
        for person in people[-OWING:]:
            await make_debt(self.runtime, person.id, POINTS, org=street.id)
        await self._awards(people, street, now() - 2 * A_DAY, "poster_code")
        for part in lists(people, PEOPLE // FUNDS):
            org = await make_limited(self.runtime)
            await self._awards(part, org, now(), "rotating_code")
            await receive(self.runtime, org, len(part) * POINTS)
        await self._holds(people[:HOLDS])

    async def _lots(
        self, people: Sequence[Resident], org: Org, points: int, *, ends: datetime, at: datetime
    ) -> None:
        for part in lists(people, AT_ONCE):
            postings = [award_posting(p.id, points, expires_at=ends, org=org.id) for p in part]
            async with self.runtime.database.transaction() as tx:
                await posting.post(tx, postings, at)

    async def _awards(
        self, people: Sequence[Resident], org: Org, at: datetime, proof: Proof
    ) -> None:
        for part in lists(people, AT_ONCE):
            async with self.runtime.database.transaction() as tx:
                policy = await history.in_force(tx, org.path, at)
                grants = [
                    Grant(
                        reference=f"works:{new_id()}",
                        person_id=person.id,
                        org_id=org.id,
                        policy=policy,
                        rule=policy.document.rules["volunteer_hour"],
                        points=POINTS,
                        minutes=60,
                        proof=proof,
                        title="清明植树",
                    )
                    for person in part
                ]
                await granting.grant(tx, grants, at)

    async def _holds(self, people: Sequence[Resident]) -> None:
        counter = await make_counter(self.runtime)
        reward = await make_reward(self.runtime, counter, points=PRICE, stock=HOLDS)
        made = [await reserve(self.runtime, person.id, reward) for person in people]
        await make_overdue(self.runtime, *(one.id for one in made))


async def left(tx: Session) -> dict[str, int]:
    """Count what the jobs still have to do."""
    found = {}
    for what, query in _LEFT.items():
        values = {"told": TOLD} if ":told" in query else {}
        found[what] = int((await tx.execute(text(query), values)).scalar_one())
    found["days to seal"] = len(await seals.days_to_seal(tx, now()))
    return {what: number for what, number in found.items() if number}


async def wrong(tx: Session) -> dict[str, int]:
    """Count what was done twice, by halves or not at all."""
    found = {}
    for what, query in _WRONG.items():
        values = {"at_once": AT_ONCE} if ":at_once" in query else {}
        found[what] = len((await tx.execute(text(query), values)).all())
    return {what: number for what, number in found.items() if number}


async def closed_months(tx: Session) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await tx.execute(_MONTHS)]

"""What the jobs find to do: small and alike each time, and all that is true afterwards.

``prepare`` makes new people with work for one job, or takes back what a job of everybody
did. ``facts`` tells everything about them but ids and moments: two of them are equal if
and only if the same came of both.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core.clock import local_date, midnight, now
from app.core.errors import unwrap
from app.jobs import awards, checkouts, expiry, funds, no_shows, seals, signups
from app.models.orgs import Org
from app.runtime import Runtime
from app.services.redemptions import charges
from app.services.redemptions.charges import ChargeCommand
from tests.engines import as_owner
from tests.factories.activities import make_activity, sign_up
from tests.factories.awards import give_award
from tests.factories.charges import THRESHOLD, let_pass, make_careful_counter
from tests.factories.clock import A_DAY, noon, travel
from tests.factories.funds import make_limited, receive
from tests.factories.ledger import give_points, make_debt
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_people
from tests.factories.presences import make_inside
from tests.factories.rewards import (
    make_card_codes,
    make_counter,
    make_overdue,
    make_reward,
    reserve,
)
from tests.factories.signup_terms import make_held

PEOPLE = 3  # with lists of two, so that a job has a first list and a second
AN_HOUR = timedelta(hours=1)

_OF_PEOPLE = {
    "accounts": """
        SELECT purpose, unit_id, balance, last_number FROM ledger_accounts
        WHERE owner_id = :owner ORDER BY purpose, unit_id""",
    "entries": """
        SELECT a.purpose, a.unit_id, t.kind, t.amount,
               CASE WHEN a.id = t.from_account_id THEN t.from_balance ELSE t.to_balance END
        FROM ledger_accounts a JOIN ledger_transfers t ON a.id IN (from_account_id, to_account_id)
        WHERE a.owner_id = :owner
        ORDER BY a.purpose, a.unit_id,
                 CASE WHEN a.id = t.from_account_id THEN from_number ELSE to_number END""",
    "lots": """
        SELECT l.amount, l.remaining FROM ledger_lots l JOIN ledger_accounts a ON a.id = account_id
        WHERE a.owner_id = :owner ORDER BY l.expires_at, l.amount""",
    "awards": "SELECT points, state FROM awards WHERE person_id = :owner ORDER BY awarded_at, id",
    "check-outs": "SELECT departure FROM checkouts WHERE person_id = :owner ORDER BY id",
    "redemptions": "SELECT status, points FROM redemptions WHERE person_id = :owner ORDER BY id",
    "charges": "SELECT status, points FROM charges WHERE person_id = :owner ORDER BY id",
    "announced": "SELECT days FROM expiry_notices WHERE person_id = :owner ORDER BY days",
    "messages": """
        SELECT topic, payload -> 'facts' ->> 'points' FROM outbox
        WHERE payload ->> 'person_id' = CAST(CAST(:owner AS uuid) AS text) ORDER BY id""",
    "stock": """
        SELECT remaining FROM reward_stocks s JOIN rewards r ON r.id = s.reward_id
        WHERE r.org_id = :owner""",
}
_OF_EVERYBODY = {
    "months": """
        SELECT org_id, month, issued, available, pending, held, spent, expired, reversed, received,
               returned, closed_at IS NOT NULL
        FROM fund_months ORDER BY org_id, month""",
    "seals": "SELECT day, leaves, root, previous, seal FROM ledger_seals ORDER BY day",
    "facts": """
        SELECT day, fact, seal_day, number, digest FROM ledger_sealed_facts ORDER BY day, fact""",
    "nodes": "SELECT day, level, n, node FROM ledger_seal_nodes ORDER BY day, level, n",
}


@dataclass(frozen=True)
class Owners:
    """An organisation and its people; nobody, where the work is everybody's."""

    org: Org | None = None
    people: list[TestPerson] = field(default_factory=list)

    async def facts(self, runtime: Runtime) -> list[Any]:
        owners = [one.id for one in (self.org, *self.people) if one is not None]
        found = []
        async with runtime.database.read() as tx:
            for owner in owners:
                for what, query in _OF_PEOPLE.items():
                    rows = await tx.execute(text(query), {"owner": owner})
                    found.append((what, [tuple(row) for row in rows]))
            if not owners:
                for what, query in _OF_EVERYBODY.items():
                    rows = await tx.execute(text(query))
                    found.append((what, [tuple(row) for row in rows]))
        return found


@dataclass(frozen=True)
class Due:
    """A job and how to give it something to do.

    ``clock``: in which all of it runs. What closes days or months runs at noon.
    """

    job: Callable[[Runtime], Awaitable[int]]
    prepare: Callable[[Runtime], Awaitable[Owners]]
    clock: Callable[[], AbstractContextManager[object]] = nullcontext


async def _waiting_awards(runtime: Runtime) -> Owners:
    """Awards whose waiting is over; somebody owes points and pays with them."""
    made = Owners(await make_org(runtime), await make_people(runtime, PEOPLE))
    assert made.org is not None
    await make_debt(runtime, made.people[0].id, 3, org=made.org.id)
    first, *others = made.people
    for person, points in ((first, 4), (first, 2), *((one, 4) for one in others)):
        await give_award(
            runtime, person, made.org, points=points, minutes=60, days_ago=2, proof="poster_code"
        )
    return made


async def _ended_lots(runtime: Runtime) -> Owners:
    return await _lots(runtime, -2 * AN_HOUR, -AN_HOUR, A_DAY)


async def _ending_lots(runtime: Runtime) -> Owners:
    return await _lots(runtime, 6 * A_DAY, 20 * A_DAY, 50 * A_DAY, 100 * A_DAY)


async def _lots(runtime: Runtime, *ends: timedelta) -> Owners:
    made = Owners(await make_org(runtime), await make_people(runtime, PEOPLE))
    assert made.org is not None
    for person in made.people:
        for points, end in enumerate(ends, start=1):
            await give_points(runtime, person.id, points, expires_at=now() + end, org=made.org.id)
    return made


async def _owing_fund(runtime: Runtime) -> Owners:
    """A fund that got what it owes: to some at once, to somebody who then has to wait on."""
    made = Owners(await make_limited(runtime), await make_people(runtime, PEOPLE))
    assert made.org is not None
    for person in made.people:
        await give_award(runtime, person, made.org, points=4)
    await give_award(runtime, made.people[0], made.org, points=2, proof="poster_code")
    await make_debt(runtime, made.people[1].id, 3, org=made.org.id)
    await receive(runtime, made.org, 4 * PEOPLE + 2)
    return made


async def _overdue_holds(runtime: Runtime) -> Owners:
    counter = await make_counter(runtime)
    reward = await make_reward(runtime, counter, stock=10)
    made = Owners(None, await make_people(runtime, PEOPLE))
    for person in made.people:
        await give_points(runtime, person.id, 30, org=counter.merchant.org_id)
        await make_overdue(runtime, (await reserve(runtime, person.id, reward, 2)).id)
    return Owners(await _org_of(runtime, counter.merchant.org_id), made.people)


async def _overdue_charges(runtime: Runtime) -> Owners:
    """Charges that nobody confirmed in time."""
    counter = await make_careful_counter(runtime)
    made = Owners(None, await make_people(runtime, PEOPLE))
    for person in made.people:
        await give_points(runtime, person.id, 30, org=counter.merchant.org_id)
        [code] = await make_card_codes(runtime, person, 1)
        command = ChargeCommand(counter.staff.id, code, THRESHOLD + 1, "")
        async with runtime.database.transaction() as tx:
            waiting = unwrap(await charges.charge(tx, [command], now()))
        await let_pass(runtime, str(waiting.id))
    return Owners(await _org_of(runtime, counter.merchant.org_id), made.people)


async def _org_of(runtime: Runtime, org_id: UUID) -> Org:
    async with runtime.database.read() as tx:
        org = await tx.get(Org, org_id)
    assert org is not None
    return org


async def _open_months(runtime: Runtime) -> Owners:
    await as_owner(runtime.settings, "DELETE FROM fund_months")
    return await _history(runtime, 70, 35, 0)


async def _open_days(runtime: Runtime) -> Owners:
    await as_owner(
        runtime.settings,
        "DELETE FROM ledger_seals",
        "DELETE FROM ledger_seal_nodes",
        "DELETE FROM ledger_sealed_facts",
    )
    return await _history(runtime, 4, 2, 0)


async def _history(runtime: Runtime, *days_ago: int) -> Owners:
    """Let the ledger begin so many days ago; what is there already stays."""
    async with runtime.database.read() as tx:
        begun = (await tx.execute(text("SELECT count(*) FROM ledger_transfers"))).scalar_one()
    if not begun:
        org, people = await make_org(runtime), await make_people(runtime, PEOPLE)
        for days in days_ago:
            for person in people:
                await give_points(runtime, person.id, 5, org=org.id, at=noon(days))
    return Owners()


async def _tomorrow(runtime: Runtime) -> Owners:
    """Sign-ups of three people for an activity of tomorrow, of one for another one too."""
    made = Owners(await make_org(runtime), await make_people(runtime, PEOPLE))
    for people in (made.people, made.people[:1]):
        starts_at = midnight(local_date(now()) + A_DAY) + 9 * AN_HOUR
        activity = await make_activity(runtime, org=made.org, starts_at=starts_at)
        await sign_up(runtime, activity, *people)
    return made


async def _missed_places(runtime: Runtime) -> Owners:
    """Three people who did not come to an activity at which somebody was."""
    org, people = await make_org(runtime), await make_people(runtime, PEOPLE)
    for person in people:
        await give_points(runtime, person.id, 5, org=org.id)
    await make_held(runtime, org, await make_people(runtime, 1), people)
    return Owners(org, people)


async def _forgotten_checkouts(runtime: Runtime) -> Owners:
    """Three people who came to an activity that is over, and did not check out."""
    org, people = await make_org(runtime), await make_people(runtime, PEOPLE)
    starts_at = now() - 3 * AN_HOUR
    with travel(starts_at):
        for person in people:
            await make_inside(runtime, person, org=org, starts_at=starts_at, hours=1)
    return Owners(org, people)


def _at_noon() -> AbstractContextManager[object]:
    return travel(noon(), tick=True)


DUE = {
    "release-awards": Due(awards.release, _waiting_awards),
    "expire-lots": Due(expiry.expire_lots, _ended_lots),
    "announce-expiry": Due(expiry.announce, _ending_lots),
    "pay-from-funds": Due(funds.pay, _owing_fund),
    "expire-reservations": Due(expiry.expire_reservations, _overdue_holds),
    "expire-charges": Due(expiry.expire_charges, _overdue_charges),
    "remind-of-activities": Due(signups.remind, _tomorrow),
    "settle-no-shows": Due(no_shows.settle, _missed_places),
    "close-forgotten-checkouts": Due(checkouts.close_forgotten, _forgotten_checkouts),
    "fund-months": Due(funds.write_months, _open_months, _at_noon),
    "seal-days": Due(seals.seal, _open_days, _at_noon),
}

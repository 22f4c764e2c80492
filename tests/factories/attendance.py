"""The past for tests: documents that took effect, check-ins and awards by hand, on given days."""

from datetime import datetime
from typing import Any
from uuid import UUID

import time_machine

from app.core.clock import SHANGHAI
from app.core.ids import new_id
from app.models.awards import Award
from app.models.orgs import Org
from app.queries import policies as policy_queries
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from app.services import checkins
from app.services.awards.proposals import Basis, ProposalItem, claim_numbers, give, mistakes_in
from app.services.checkins import Recorded, Scan
from app.services.policies import history
from tests.factories.activities import make_attended
from tests.factories.people import TestPerson, make_person


def shanghai(month: int, day: int, hour: int = 9, *, year: int = 2025) -> datetime:
    return datetime(year, month, day, hour, tzinfo=SHANGHAI)


async def in_force_since(runtime: Runtime, org: Org | None, source: str, at: datetime) -> None:
    """Publish a document that took effect in the past, as no service would."""
    async with runtime.database.transaction() as tx:
        version = await policy_queries.insert(
            tx,
            org_id=org.id if org else None,
            effective_from=at,
            source=source,
            published_by=None,
        )
    assert version is not None


async def attend(
    runtime: Runtime,
    person: TestPerson,
    org: Org,
    at: datetime,
    *,
    rule_key: str = "volunteer_hour",
    hours: float = 2,
) -> Award:
    """Check somebody in at an activity that begins then; return the award."""
    with time_machine.travel(at, tick=False):
        activity = await make_attended(
            runtime, person, org=org, rule_key=rule_key, hours=hours, starts_at=at
        )
        async with runtime.database.transaction() as tx:
            [outcome] = await checkins.record(tx, [Scan(activity.serial, person.id)], at)
    assert isinstance(outcome, Recorded)
    return await award_of(runtime, outcome.result.award.id)


async def give_by_hand(
    runtime: Runtime,
    people: list[TestPerson],
    org: Org,
    at: datetime,
    rule_key: str,
    **line: Any,
) -> list[Award]:
    """Give people an award by hand, in one proposal; ``line`` is what it says of each."""
    organizer = await make_person(runtime)
    said: dict[str, Any] = {"quantity": 1, "evidence": {}} | line
    with time_machine.travel(at, tick=False):
        async with runtime.database.transaction() as tx:
            policy = await history.in_force(tx, org.path, at)
            basis = Basis(org.id, policy, policy.document.rules[rule_key])
            lines = [ProposalItem(person.id, **said) for person in people]
            assert not list(mistakes_in(basis.rule, lines))
            proposal = new_id()
            assert not await claim_numbers(tx, basis, proposal, lines)
            given = await give(tx, organizer.id, basis, proposal, lines)
    return [await award_of(runtime, one.id) for one in given]


async def award_of(runtime: Runtime, award_id: UUID) -> Award:
    async with runtime.database.read() as tx:
        award = await granting_queries.find(tx, award_id)
    assert award is not None
    return award

"""Past data for tests: policies, check-ins and awards by hand, with given dates."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from app.core.clock import SHANGHAI
from app.core.ids import new_id
from app.models.awards import Award
from app.models.orgs import Org
from app.queries import policies as policy_queries
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from app.schemas.awards.review import AwardEvidenceIn, RejectionIn
from app.services import checkins
from app.services.awards import attended, review
from app.services.awards.proposals import Basis, ProposalItem, claim_numbers, give, mistakes_in
from app.services.checkins import Recorded, Scan
from app.services.policies import history, publishing
from tests.factories.activities import make_attended
from tests.factories.clock import travel
from tests.factories.people import TestPerson, make_organizer, make_people, make_person

PRAISE = {"document": "扬青发〔2025〕3号", "public_notice": "已公示五日"}


def shanghai(month: int, day: int, hour: int = 9, *, year: int = 2025) -> datetime:
    return datetime(year, month, day, hour, tzinfo=SHANGHAI)


async def in_force_since(runtime: Runtime, org: Org | None, source: str, at: datetime) -> None:
    """Publish a document with a past effective date, which the service would refuse."""
    async with runtime.database.transaction() as tx:
        version = await policy_queries.insert(
            tx,
            org_id=org.id if org else None,
            effective_from=at,
            source=source,
            published_by=None,
        )
        assert version is not None
        org_id = org.id if org else None
        await publishing.write_audit(tx, None, version, org_id, at, source)


async def attend(
    runtime: Runtime,
    person: TestPerson,
    org: Org,
    at: datetime,
    *,
    starts_at: datetime | None = None,
    rule_key: str = "volunteer_hour",
    hours: float = 2,
) -> Award:
    """Check a person in at an activity, which begins at that time by default; return the award."""
    starts_at = starts_at or at
    with travel(min(at, starts_at)):
        activity = await make_attended(
            runtime, person, org=org, rule_key=rule_key, hours=hours, starts_at=starts_at
        )
    with travel(at):
        async with runtime.database.transaction() as tx:
            [outcome] = await checkins.record(tx, [Scan(activity.serial, person.id)], at)
    assert isinstance(outcome, Recorded)
    assert outcome.result.award is not None
    return await award_of(runtime, outcome.result.award.id)


async def give_by_hand(
    runtime: Runtime,
    people: list[TestPerson],
    org: Org,
    at: datetime,
    rule_key: str,
    **line: Any,
) -> list[Award]:
    """Give people an award by hand, in one proposal; ``line`` has the fields of each item."""
    organizer = await make_person(runtime)
    said: dict[str, Any] = {"quantity": 1, "evidence": {}} | line
    with travel(at):
        async with runtime.database.transaction() as tx:
            policy = await history.in_force(tx, org.path, at)
            basis = Basis(org.id, policy, policy.document.rules[rule_key])
            lines = [ProposalItem(person.id, **said) for person in people]
            assert not list(mistakes_in(basis.rule, lines))
            proposal = new_id()
            assert not await claim_numbers(tx, basis, proposal, lines)
            given = await give(tx, organizer.id, basis, proposal, lines)
    return [await award_of(runtime, one.award.id) for one in given]


async def award_of(runtime: Runtime, award_id: UUID) -> Award:
    async with runtime.database.read() as tx:
        award = await granting_queries.find(tx, award_id)
    assert award is not None
    return award


async def live_through_a_year(runtime: Runtime, orgs: list[Org], seed: int) -> None:
    """Let three people do all that can be done, on few days, so that every cap is met."""
    chance = random.Random(seed)
    people = await make_people(runtime, 3)
    for step in range(90):
        at = shanghai(2 + step // 45, 1 + step // 5 % 9, 6 + step % 5 * 2)
        who, org = chance.choice(people), chance.choice(orgs)
        match chance.randrange(8):
            case 0:
                await attend(runtime, who, org, at, rule_key="theme_study")
            case 1:
                await attend(runtime, who, org, at, rule_key="taskforce_emergency", hours=9)
            case 2:
                grade = chance.choice([None, "city", "town"])
                await give_by_hand(
                    runtime, [who], org, at, "commendation", evidence=PRAISE, grade=grade
                )
            case 3:
                said = {"quantity": chance.choice([1, 2]), "points": chance.choice([None, 3, 7])}
                evidence = {"valuation": "三十元", "acceptance": "已验收"}
                await give_by_hand(
                    runtime, people[:2], org, at, "tool_donate", evidence=evidence, **said
                )
            case 4:
                evidence = {"reportin_code": "B7"}
                await give_by_hand(runtime, [who], org, at, "reportin_complete", evidence=evidence)
            case 5:
                evidence = {"grid_confirm": "三茅"}
                await give_by_hand(runtime, [who], org, at, "register_realname", evidence=evidence)
            case _:
                hours = chance.choice([0.4, 1.5, 2, 7])
                starts_at = at + timedelta(minutes=chance.choice([-50, 0, 0, 30]))
                await attend(runtime, who, org, at, starts_at=starts_at, hours=hours)
    await review_in_any_order(runtime, orgs[0], people, chance)


async def review_in_any_order(
    runtime: Runtime, org: Org, people: list[TestPerson], chance: random.Random
) -> None:
    """Approve most of what waits, reject some, and leave some."""
    reviewers = [await make_organizer(runtime, org.id) for _ in range(2)]
    async with runtime.database.read() as tx:
        waiting = select(Award).where(
            col(Award.person_id).in_([one.id for one in people]), Award.state == "pending"
        )
        places = {one.id: n for n, one in enumerate(people)}
        awards = sorted(
            await tx.exec(waiting), key=lambda one: (one.awarded_at, places[one.person_id])
        )
    chance.shuffle(awards)
    for award in awards:
        if not award.evidence:
            async with runtime.database.transaction() as tx:
                evidence = {"dispatch_no": f"{award.id}"}
                body = AwardEvidenceIn(award_ids=[award.id], evidence=evidence)
                await attended.add_evidence(tx, reviewers[0].id, body)
        for reviewer in reviewers[: award.reviews_needed]:
            async with runtime.database.transaction() as tx:
                match chance.randrange(12):
                    case 0:
                        break
                    case 1:
                        await review.reject(
                            tx, reviewer.id, award.id, RejectionIn(reason="材料不全")
                        )
                        break
                    case _:
                        await review.approve(tx, reviewer.id, award.id)

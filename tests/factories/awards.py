"""Awards for tests: by hand through the API, or given in the past."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.core.ids import new_id
from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.policies.documents import Proof
from app.services.awards import granting, release
from app.services.awards.granting import Grant
from app.services.policies import history
from tests.factories.http import keyed
from tests.factories.people import TestPerson

DAYS_OF_GROWTH = 5
LONG_ENOUGH = timedelta(days=4)  # a public notice takes three


def award_body(org: Org, people: Sequence[TestPerson], **changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /awards: a commendation, 15 points each."""
    return {
        "rule_key": "commendation",
        "org_id": str(org.id),
        "person_ids": [str(person.id) for person in people],
        "evidence": {"document": "扬青发〔2026〕3号", "public_notice": "已公示五日"},
    } | changes


TWO_REVIEWERS = {
    "rule_key": "student_placement",
    "evidence": {"log": "三十日日志", "mentor_grade": "优"},
}


async def propose(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, *people: TestPerson, **changes: Any
) -> list[dict[str, Any]]:
    """Propose awards through the API; return them in the order of the people."""
    response = await api.post(
        "/api/v1/awards", headers=keyed(organizer), json=award_body(org, people, **changes)
    )
    assert response.status_code == 201, response.text
    by_person = {item["person_id"]: item["award"] for item in response.json()["items"]}
    return [by_person[str(person.id)] for person in people]


async def approve(
    api: httpx.AsyncClient, reviewer: TestPerson, award: dict[str, Any]
) -> httpx.Response:
    return await api.post(f"/api/v1/awards/{award['id']}/approval", headers=keyed(reviewer))


async def reverse(
    api: httpx.AsyncClient,
    administrator: TestPerson,
    transfer: UUID | str,
    key: str | None = None,
    *,
    points: int | None = None,
) -> httpx.Response:
    """Reverse an award, or so many of its points."""
    return await api.post(
        f"/api/v1/ledger/transfers/{transfer}/reversal",
        headers=keyed(administrator, key),
        json={"reason": "录入错误"} | ({} if points is None else {"points": points}),
    )


async def reject(
    api: httpx.AsyncClient, reviewer: TestPerson, award: dict[str, Any]
) -> httpx.Response:
    return await api.post(
        f"/api/v1/awards/{award['id']}/rejection",
        headers=keyed(reviewer),
        json={"reason": "材料不全"},
    )


async def end_notices(runtime: Runtime) -> None:
    """Release all awards whose waiting times and notices have begun, also those of other tests."""
    async with runtime.database.transaction() as tx:
        await release.release_due(tx, now() + LONG_ENOUGH, 1_000)


async def give_award(
    runtime: Runtime,
    person: TestPerson,
    org: Org,
    *,
    rule_key: str = "volunteer_hour",
    points: int = 8,
    minutes: int = 0,
    days_ago: int = 0,
    proof: Proof = "rotating_code",
) -> UUID:
    """Give an award on a past day, within the caps of that day.

    It is available; with ``poster_code`` it is pending for a day. What the rule asks for beside
    attendance is left out.
    """
    at = now() - timedelta(days=days_ago)
    async with runtime.database.transaction() as tx:
        policy = await history.in_force(tx, org.path, at)
        rule = policy.document.rules[rule_key]
        grant = Grant(
            reference=f"test:{new_id()}",
            person_id=person.id,
            org_id=org.id,
            policy=policy,
            rule=rule.model_copy(update={"evidence": [], "release": {}}),
            points=points,
            minutes=minutes,
            proof=proof,
            title="测试发放",
        )
        await granting.grant(tx, [grant], at)
    return grant.id


async def raise_to_growth(runtime: Runtime, person: TestPerson, org: Org) -> None:
    """Give what 青禾卡 requires: 40 points and 8 hours or more within twelve months."""
    for days_ago in range(DAYS_OF_GROWTH, 0, -1):
        await give_award(runtime, person, org, points=8, minutes=240, days_ago=days_ago)

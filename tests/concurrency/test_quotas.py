"""Quotas at once: the last of a day is taken once."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.core.db import Session
from app.models.quotas import Quota, QuotaKind
from app.queries import quotas as queries
from app.services import deductions
from app.services.awards import proposals, public_notice
from tests.concurrency import rushes
from tests.concurrency.meeting import meet_after
from tests.concurrency.test_cases import in_notice, object_to
from tests.factories.awards import award_body
from tests.factories.deductions import belong, deduction_body
from tests.factories.http import keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_people, make_person
from tests.factories.quotas import use_up

AT_ONCE = 4
Rush = Callable[[FastAPI], Awaitable[dict[str, int]]]


async def the_last_proposal(app: FastAPI) -> dict[str, int]:
    """Propose for several people at once, where the day leaves one proposal."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, people = await make_org(runtime), await make_people(runtime, AT_ONCE)
        organizer = await make_organizer(runtime, org.id)
        used = proposals.MAX_PROPOSALS_A_DAY - 1
        await use_up(runtime, organizer, QuotaKind.proposals, used)
        replies = await rushes.at_once(
            api.post("/api/v1/awards", headers=keyed(organizer), json=award_body(org, [person]))
            for person in people
        )
        return rushes.outcomes(replies)


async def the_last_deduction(app: FastAPI) -> dict[str, int]:
    """Several organizers deduct from one person, from whom the day leaves one deduction."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizers = [await make_organizer(runtime, org.id) for _ in range(AT_ONCE)]
        await belong(runtime, org, person)
        await use_up(runtime, person, QuotaKind.deductions_of, deductions.MAX_OF_PERSON_A_DAY - 1)
        replies = await rushes.at_once(
            api.post(
                "/api/v1/deductions", headers=keyed(organizer), json=deduction_body(org, person)
            )
            for organizer in organizers
        )
        return rushes.outcomes(replies)


async def the_last_objection(app: FastAPI) -> dict[str, int]:
    """Object to several awards at once, where the day leaves one objection."""
    async with rushes.one_client_of(app) as (api, runtime):
        person = await make_person(runtime)
        awards, _ = await in_notice(api, runtime, AT_ONCE)
        used = public_notice.MAX_OBJECTIONS_A_DAY - 1
        await use_up(runtime, person, QuotaKind.objections, used)
        replies = await rushes.at_once(object_to(api, person, award) for award in awards)
        return rushes.outcomes(replies)


LAST = {
    "awards.too_many_proposals": the_last_proposal,
    "awards.too_many_objections_today": the_last_objection,
    "deductions.too_many_of_person": the_last_deduction,
}
every_last = pytest.mark.parametrize(("code", "last"), LAST.items(), ids=LAST)


@every_last
async def test_the_last_of_a_day_is_taken_once(app: FastAPI, code: str, last: Rush) -> None:
    assert await last(app) == {"201": 1, code: AT_ONCE - 1}


@every_last
@pytest.mark.long
async def test_control_with_a_look_before_the_count(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, code: str, last: Rush
) -> None:
    async def looked(
        session: Session, person: UUID, kind: QuotaKind, _day: date, limit: int
    ) -> bool:
        quota = await session.get(Quota, (person, kind))
        return quota is None or quota.used < limit

    monkeypatch.setattr(queries, "take", looked)
    meet_after(monkeypatch, queries, "take", parties=AT_ONCE)
    assert code not in await last(broken)

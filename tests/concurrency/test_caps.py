"""Awards to one person at once: no two of them see the room that is left for one."""

from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.core.db_errors import Retry
from app.queries.awards import granting as granting_queries
from app.schemas.award_reviews import ApprovalsIn
from app.schemas.policies.documents import Proof
from app.services import award_reviews
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks
from tests.concurrency.meeting import meet_after
from tests.factories.activities import current_code, make_attended
from tests.factories.awards import TWO_REVIEWERS, approve, give_award, propose
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person

PROPOSALS = 8
COMMENDATION: dict[str, Any] = {}  # 15 points, and at most 24 a day by all rules together
REGISTRATION = {"rule_key": "register_realname", "evidence": {"grid_confirm": "已确认"}}


async def approvals_at_once(app: FastAPI, rule: dict[str, Any]) -> list[int]:
    """Approve the same for one person in several organisations; return what each gives."""
    async with rushes.one_client_of(app) as (api, runtime):
        person = await make_person(runtime)
        # Opens the accounts: opening them in the rush would be a lock too.
        await give_award(runtime, person, await make_org(runtime), points=1, days_ago=1)
        awards, reviewers = [], []
        for _ in range(PROPOSALS):
            org = await make_org(runtime)
            organizer = await make_organizer(runtime, org.id)
            awards += await propose(api, organizer, org, person, **rule)
            reviewers.append(await make_organizer(runtime, org.id))
        replies = await rushes.at_once(
            approve(api, reviewer, award) for reviewer, award in zip(reviewers, awards, strict=True)
        )
        return sorted((reply.json()["points"] for reply in replies), reverse=True)


async def two_kinds_at_once(app: FastAPI) -> list[int]:
    """Give one person 15 points at once and 15 that wait, in two organisations."""
    async with rushes.one_client_of(app) as (_, runtime):
        person = await make_person(runtime)
        orgs = [await make_org(runtime) for _ in range(2)]
        proofs: tuple[Proof, ...] = ("rotating_code", "poster_code")
        for proof in proofs:  # opens both accounts: opening them in the rush would be a lock too
            org = await make_org(runtime)
            await give_award(runtime, person, org, points=1, days_ago=1, proof=proof)
        given = await rushes.at_once(
            give_award(runtime, person, org, rule_key="commendation", points=15, proof=proof)
            for org, proof in zip(orgs, proofs, strict=True)
        )
        async with runtime.database.read() as tx:
            made = await granting_queries.find_many(tx, given)
        return sorted((award.points for award in made), reverse=True)


async def check_in_against_approval(app: FastAPI) -> dict[str, int]:
    """Of 24 points a day 15 are given: approve 15 more and check in for 4, at once."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
        # Opens the accounts: opening them in the rush would be a lock too.
        await give_award(runtime, person, org, points=1, minutes=60, days_ago=1)
        await give_award(runtime, person, org, rule_key="commendation", points=15)
        (award,) = await propose(api, organizer, org, person)
        activity = await make_attended(runtime, person, org=org, hours=2)
        code = {"code": current_code(runtime, activity)}
        approved, scanned = await rushes.at_once(
            [
                approve(api, reviewer, award),
                api.post("/api/v1/checkins", headers=person.headers, json=code),
            ]
        )
        return {
            "approved": approved.json()["points"],
            "attended": scanned.json()["award"]["points"],
            "minutes": scanned.json()["award"]["minutes"],
        }


async def test_a_check_in_and_an_approval_share_a_cap(app: FastAPI) -> None:
    assert await check_in_against_approval(app) in (
        {"approved": 9, "attended": 0, "minutes": 120},
        {"approved": 5, "attended": 4, "minutes": 120},
    )
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_a_check_in_and_an_approval_that_do_not_see_each_other(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "tallies", parties=2)
    facts = await check_in_against_approval(broken)
    assert (facts["approved"], facts["attended"]) == (9, 4)


async def lists_at_once(app: FastAPI) -> list[list[int] | str]:
    """Two reviewers approve the same two awards of one person, each in another order.

    The awards are of 20 points and need both. Return what each list says of them, in its order.
    """
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, *reviewers = [await make_organizer(runtime, org.id) for _ in "abc"]
        made = [await propose(api, organizer, org, person, **TWO_REVIEWERS) for _ in "ab"]
        ids = [UUID(award["id"]) for [award] in made]

        async def approved(reviewer: TestPerson, order: list[UUID]) -> list[int] | str:
            try:
                async with runtime.database.transaction() as tx:
                    body = ApprovalsIn(award_ids=order)
                    done = await award_reviews.approve(tx, reviewer.id, body)
            except Retry:
                return "deadlock"
            return [item.points for item in done.items]

        return await rushes.at_once(
            approved(one, order) for one, order in zip(reviewers, (ids, ids[::-1]), strict=True)
        )


async def test_two_lists_of_the_same_awards_do_not_wait_for_each_other(app: FastAPI) -> None:
    """The one that comes second completes both, and fills the cap in its order."""
    found = await lists_at_once(app)
    assert sorted(map(str, found)) == ["[20, 20]", "[20, 4]"]


@pytest.mark.long
async def test_control_lists_whose_awards_are_locked_in_their_order(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_locked(*_: Any) -> None: ...

    monkeypatch.setattr(granting_queries, "lock_many", not_locked)
    meet_after(monkeypatch, granting_queries, "find", parties=2)
    assert "deadlock" in await lists_at_once(broken)


async def test_points_that_wait_share_a_cap_with_points_at_once(app: FastAPI) -> None:
    assert await two_kinds_at_once(app) == [15, 9]


@pytest.mark.long
async def test_control_with_the_lock_of_the_points_own_account_alone(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = import_module("app.services.awards.granting")  # the package's ``grant`` is the function
    monkeypatch.setattr(grant, "_accounts", lambda one: [one.fund, one.account])
    monkeypatch.setattr(grant, "_balances", lambda *_: (0, None))  # of the other account
    meet_after(monkeypatch, granting_queries, "tallies", parties=2)
    assert await two_kinds_at_once(broken) == [15, 15]


async def test_a_cap_of_all_rules_together_holds_at_once(app: FastAPI) -> None:
    assert await approvals_at_once(app, COMMENDATION) == [15, 9, *[0] * (PROPOSALS - 2)]
    await assert_ledger_verifies(app.state.runtime)


async def test_what_is_given_once_is_given_once(app: FastAPI) -> None:
    assert await approvals_at_once(app, REGISTRATION) == [5, *[0] * (PROPOSALS - 1)]


@pytest.mark.parametrize("rule", [COMMENDATION, REGISTRATION], ids=["cap", "once"])
@pytest.mark.long
async def test_control_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any]
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "tallies", parties=PROPOSALS)
    meet_after(monkeypatch, granting_queries, "had", parties=PROPOSALS)
    given = await approvals_at_once(broken, rule)
    assert given[0] == given[1] > 0

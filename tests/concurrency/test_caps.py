"""Awards to one person at once: no two of them see the room that is left for one."""

from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI

from app.queries.awards import granting as granting_queries
from app.schemas.policies import Proof
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_account_locks
from tests.concurrency.meeting import meet_after
from tests.factories.awards import give_award, propose
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person

PROPOSALS = 8
COMMENDATION: dict[str, Any] = {}  # 15 points, and at most 24 a day by all rules together
REGISTRATION = {"rule_key": "register_realname", "evidence": {"grid_confirm": "已确认"}}


async def proposals_at_once(app: FastAPI, rule: dict[str, Any]) -> list[int]:
    """Propose the same for one person in several organisations; return what each gives."""
    async with rushes.one_client_of(app) as (api, runtime):
        person = await make_person(runtime)
        # Opens the pending account: opening it in the rush would be a lock too.
        await give_award(
            runtime, person, await make_org(runtime), points=1, days_ago=1, proof="poster_code"
        )
        orgs = [await make_org(runtime) for _ in range(PROPOSALS)]
        organizers = [await make_organizer(runtime, org.id) for org in orgs]
        made = await rushes.at_once(
            propose(api, organizer, org, person, **rule)
            for organizer, org in zip(organizers, orgs, strict=True)
        )
        return sorted((award["points"] for (award,) in made), reverse=True)


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


async def test_points_that_wait_share_a_cap_with_points_at_once(app: FastAPI) -> None:
    assert await two_kinds_at_once(app) == [15, 9]


async def test_control_with_the_lock_of_the_points_own_account_alone(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = import_module("app.services.awards.granting")  # the package's ``grant`` is the function
    monkeypatch.setattr(grant, "_accounts", lambda one: [one.fund, one.account])
    meet_after(monkeypatch, granting_queries, "tallies", parties=2)
    assert await two_kinds_at_once(broken) == [15, 15]


async def test_a_cap_of_all_rules_together_holds_at_once(app: FastAPI) -> None:
    assert await proposals_at_once(app, COMMENDATION) == [15, 9, *[0] * (PROPOSALS - 2)]
    await assert_ledger_verifies(app.state.runtime)


async def test_what_is_given_once_is_given_once(app: FastAPI) -> None:
    assert await proposals_at_once(app, REGISTRATION) == [5, *[0] * (PROPOSALS - 1)]


@pytest.mark.parametrize("rule", [COMMENDATION, REGISTRATION], ids=["cap", "once"])
async def test_control_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any]
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "tallies", parties=PROPOSALS)
    meet_after(monkeypatch, granting_queries, "had", parties=PROPOSALS)
    given = await proposals_at_once(broken, rule)
    assert given[0] == given[1] > 0

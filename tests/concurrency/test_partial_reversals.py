"""Parts of an award taken back at once, and while it is being approved."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.models.ledger import Purpose
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import take_out_references, take_out_row_locks
from tests.concurrency.meeting import meet_after
from tests.engines import as_owner
from tests.factories.awards import approve, give_award, propose, reverse
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_person

POINTS, OTHERS, PROPOSED = 8, 100, 15
_AWARD = text("SELECT points, points_cut, points_reversed FROM awards WHERE id = :id")


async def amounts_of(runtime: Runtime, award: UUID | str) -> dict[str, int]:
    async with runtime.database.read() as tx:
        row = (await tx.execute(_AWARD, {"id": award})).one()
    return {"left": row.points, "cut": row.points_cut, "reversed": row.points_reversed}


async def parts_at_once(app: FastAPI, part: int, number: int) -> tuple[dict[str, int], int]:
    """Take so many parts of one award; return what came of it, and what was taken in all."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        await give_points(runtime, person.id, OTHERS)  # so that more than the award could be taken
        award = await give_award(runtime, person, org, points=POINTS)
        administrators = [await make_administrator(runtime, org.id) for _ in range(number)]
        replies = await rushes.at_once(
            reverse(api, one, award, points=part) for one in administrators
        )
        taken = POINTS + OTHERS - await balance(runtime, person.id)
        return rushes.outcomes(replies), taken


async def test_of_two_parts_the_second_sees_what_is_left(app: FastAPI) -> None:
    outcomes, taken = await parts_at_once(app, 5, 2)
    assert (outcomes, taken) == ({"201": 1, "ledger.more_than_left": 1}, 5)


async def test_parts_are_taken_until_nothing_is_left(app: FastAPI) -> None:
    outcomes, taken = await parts_at_once(app, 1, 12)
    assert (outcomes, taken) == ({"201": POINTS, "ledger.already_settled": 12 - POINTS}, POINTS)
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_parts_that_do_not_see_each_other(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    await take_out_references(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "find", parties=2)
    assert await parts_at_once(broken, 5, 2) == ({"201": 2}, 10)


async def approval_against_a_part(app: FastAPI) -> tuple[dict[str, int], dict[str, int], int]:
    """Approve 15 points of which the caps leave 9, and take back 5 of them, at once."""
    async with rushes.one_client_of(app) as (api, runtime):
        org, person = await make_org(runtime), await make_person(runtime)
        organizer, reviewer = [await make_organizer(runtime, org.id) for _ in "ab"]
        administrator = await make_administrator(runtime, org.id)
        await give_award(runtime, person, org, rule_key="commendation", points=15)
        (award,) = await propose(api, organizer, org, person)
        works: list[Any] = [
            approve(api, reviewer, award),
            reverse(api, administrator, award["id"], points=5),
        ]
        replies = await rushes.at_once(works)
        pending = await balance(runtime, person.id, Purpose.pending)
        return rushes.outcomes(replies), await amounts_of(runtime, award["id"]), pending


async def test_an_approval_cuts_what_a_reversal_leaves_or_before_it(app: FastAPI) -> None:
    outcomes, amounts, pending = await approval_against_a_part(app)

    assert outcomes == {"200": 1, "201": 1}
    assert amounts in (
        {"left": 4, "cut": 6, "reversed": 5},  # first cut to 9
        {"left": 9, "cut": 1, "reversed": 5},  # first reduced to 10
    )
    assert sum(amounts.values()) == PROPOSED
    assert pending == amounts["left"]
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_without_the_lock_the_constraint_refuses(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, granting_queries, "find", parties=2)
    outcomes, amounts, pending = await approval_against_a_part(broken)
    assert outcomes["service.internal"] == 1
    assert (sum(amounts.values()), pending) == (PROPOSED, amounts["left"])


@pytest.mark.long
async def test_control_without_the_lock_and_the_constraint(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, granting_queries, "find", parties=2)
    await as_owner(
        broken.state.runtime.settings, "ALTER TABLE awards DROP CONSTRAINT ck_awards_points"
    )
    outcomes, amounts, pending = await approval_against_a_part(broken)
    assert outcomes == {"200": 1, "201": 1}
    assert pending != amounts["left"]

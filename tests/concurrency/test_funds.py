"""A limited fund and a crowd: no more goes out than came in, to the longest waiting, once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.jobs import funds
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.queries.awards import granting as granting_queries
from app.queries.awards import payment as queries
from app.runtime import Runtime
from tests.concurrency import rushes
from tests.concurrency.guards import (
    take_out_account_locks,
    take_out_references,
    take_out_row_locks,
)
from tests.concurrency.meeting import meet_after
from tests.factories.awards import give_award
from tests.factories.funds import make_limited, receive
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.people import TestPerson, make_people

ROOM_FOR, CROWD, WORKERS, POINTS = 5, 8, 3, 4

_GIVEN = text("""
SELECT a.id, a.state, count(t.id) AS transfers, coalesce(sum(t.amount), 0) AS points
FROM awards a
LEFT JOIN ledger_transfers t ON t.source_id = a.id AND t.kind = 'award' AND t.unit_id = a.unit_id
WHERE a.org_id = :org GROUP BY a.id, a.state
""")


async def fund_facts(runtime: Runtime, org: Org, waited: Sequence[UUID] = ()) -> dict[str, Any]:
    async with runtime.database.read() as tx:
        rows = (await tx.execute(_GIVEN, {"org": org.id})).all()
    paid = {row.id for row in rows if row.transfers}
    return {
        "issued": int(sum(row.points for row in rows)),
        "paid twice": sum(row.transfers > 1 for row in rows),
        "paid of who waited": [award in paid for award in waited],
        "paid of the others": len(paid - set(waited)),
        "still waiting": sum(row.state == "pending_budget" for row in rows),
        "left": await balance(runtime, org.id, Purpose.budget),
    }


async def awards_against_a_fund(app: FastAPI) -> dict[str, Any]:
    """Room for five, and eight come at once."""
    runtime: Runtime = app.state.runtime
    org, people = await make_limited(runtime), await make_people(runtime, CROWD)
    await receive(runtime, org, ROOM_FOR * POINTS)
    await rushes.at_once(give(runtime, org, one)() for one in people)
    return await fund_facts(runtime, org)


async def receipt_while_some_wait(app: FastAPI) -> dict[str, Any]:
    """Six wait; money for five comes in, three workers pay, and others come, all at once."""
    runtime: Runtime = app.state.runtime
    org, people = await make_limited(runtime), await make_people(runtime, CROWD)
    waited = [
        await give_award(runtime, one, org, points=POINTS)
        for one in await make_people(runtime, ROOM_FOR + 1)
    ]
    works = [
        lambda: receive(runtime, org, ROOM_FOR * POINTS),
        *(lambda: funds.pay(runtime) for _ in range(WORKERS)),
        *(give(runtime, org, one) for one in people),
    ]
    await rushes.at_once(work() for work in works)
    await funds.pay(runtime)
    return await fund_facts(runtime, org, waited)


async def workers_at_once(app: FastAPI) -> dict[str, Any]:
    """Money for all came in while they waited, and three workers pay."""
    runtime: Runtime = app.state.runtime
    org, people = await make_limited(runtime), await make_people(runtime, ROOM_FOR)
    waited = [await give_award(runtime, one, org, points=POINTS) for one in people]
    await receive(runtime, org, WORKERS * ROOM_FOR * POINTS)
    await rushes.at_once(funds.pay(runtime) for _ in range(WORKERS))
    return await fund_facts(runtime, org, waited)


def give(runtime: Runtime, org: Org, person: TestPerson) -> Callable[[], Awaitable[UUID]]:
    return lambda: give_award(runtime, person, org, points=POINTS)


async def test_a_fund_issues_what_came_in(app: FastAPI) -> None:
    assert await awards_against_a_fund(app) == {
        "issued": ROOM_FOR * POINTS,
        "paid twice": 0,
        "paid of who waited": [],
        "paid of the others": ROOM_FOR,
        "still waiting": CROWD - ROOM_FOR,
        "left": 0,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "unpaid", parties=CROWD)
    facts = await awards_against_a_fund(broken)
    assert facts["issued"] > ROOM_FOR * POINTS


async def test_who_waited_longest_is_paid_first(app: FastAPI) -> None:
    assert await receipt_while_some_wait(app) == {
        "issued": ROOM_FOR * POINTS,
        "paid twice": 0,
        "paid of who waited": [*[True] * ROOM_FOR, False],
        "paid of the others": 0,
        "still waiting": CROWD + 1,
        "left": 0,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_a_look_at_who_waits(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: Any) -> set[tuple[UUID, int]]:
        return set()

    monkeypatch.setattr(granting_queries, "unpaid", nobody)
    runtime: Runtime = broken.state.runtime
    org, people = await make_limited(runtime), await make_people(runtime, CROWD)
    waited = [await give_award(runtime, people[0], org, points=POINTS)]
    await receive(runtime, org, POINTS)
    await rushes.at_once(give(runtime, org, one)() for one in people[1:])
    facts = await fund_facts(runtime, org, waited)
    assert (facts["paid of who waited"], facts["paid of the others"]) == ([False], 1)


async def test_several_workers_pay_once(app: FastAPI) -> None:
    assert await workers_at_once(app) == {
        "issued": ROOM_FOR * POINTS,
        "paid twice": 0,
        "paid of who waited": [True] * ROOM_FOR,
        "paid of the others": 0,
        "still waiting": 0,
        "left": (WORKERS - 1) * ROOM_FOR * POINTS,
    }
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_locks_on_awards_and_their_references(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either alone holds: the id of an award is that of its transfer, too."""
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, queries, "lock_waiting", parties=WORKERS)
    await take_out_references(broken, monkeypatch)
    assert (await workers_at_once(broken))["paid twice"] > 0

"""Two transactions that open the same account, while one of them needs another account too."""

import asyncio
from uuid import UUID

import pytest

from app.core.clock import now
from app.core.db_errors import Retry
from app.core.ids import new_id
from app.models.ledger import Purpose
from app.queries.ledger import posting
from app.queries.ledger import posting as queries
from app.runtime import Runtime
from app.services.ledger import posting as ledger_posting
from app.services.ledger.types import POINTS, AccountKey
from tests.concurrency.meeting import until_somebody_waits_for
from tests.factories.ledger import award_posting, give_points
from tests.factories.people import make_person

WHOLE = """  AND (SELECT count(*) FROM wanted WHERE needed) = :number
"""


async def test_who_waits_for_an_account_to_be_opened_holds_nothing(runtime: Runtime) -> None:
    existing, new = await _existing_and_new(runtime)

    await _both_want_both(runtime, existing, new)


async def test_control_holding_what_exists_meanwhile_is_a_deadlock(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing, new = await _existing_and_new(runtime)
    assert WHOLE in posting.LOCK_ACCOUNTS
    monkeypatch.setattr(posting, "LOCK_ACCOUNTS", posting.LOCK_ACCOUNTS.replace(WHOLE, ""))

    with pytest.raises(ExceptionGroup) as failed:
        await _both_want_both(runtime, existing, new)
    assert failed.group_contains(Retry)


async def _existing_and_new(runtime: Runtime) -> tuple[UUID, UUID]:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 1)
    return person.id, new_id()


async def _both_want_both(runtime: Runtime, existing: UUID, new: UUID) -> None:
    keys = [AccountKey(existing, Purpose.available), AccountKey(new, Purpose.available)]
    opened, waiting = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with runtime.database.transaction() as tx:
            await queries.open_accounts(tx, [(new, Purpose.available, POINTS)], [0])
            opened.set()
            await waiting.wait()
            await until_somebody_waits_for(runtime, tx)
            await queries.lock_accounts(tx, keys)

    async def second() -> None:
        await opened.wait()
        async with runtime.database.transaction() as tx:
            waiting.set()
            rows = await queries.lock_accounts(tx, keys)
            if len(rows) < len(keys):
                await queries.open_accounts(tx, keys, [0, 0])
                rows = await queries.lock_accounts(tx, keys)
            assert len(rows) == len(keys)

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
    async with runtime.database.transaction() as tx:
        outcomes = await ledger_posting.post(tx, [award_posting(new, 5)], now())
    assert len(outcomes) == 1

"""What the OpenAPI document promises holds for every caller, and so does what it forbids."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis.strategies._internal.strategies import SampledFromStrategy

from app.integrations.wechat_sandbox import state
from app.main import create_app
from app.models.people import Role
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.ledger import assert_ledger_verifies
from tests.security.schema_runs import PHASES, Amount, Report, run
from tests.security.schema_world import NOBODY, ROLES, STAFF, make_world

CASES_IN_SHORT, CASES = 1_500, 20_000
NOTHING = (1, 1)
# To enumerate the document once is enough; chance is better tried often.
LONG = (Amount(9, 40), *[Amount(9, 40, part=NOTHING)] * 5)


@pytest.fixture(autouse=True)
def patient_wechat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Login codes live for five minutes; these must not expire under way."""
    monkeypatch.setattr(state, "CODE_TTL_S", 3_600)


@pytest.fixture(autouse=True)
def every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis looks at the first 10,000 rules only when it chooses one that can be run.

    Schemathesis makes one of every link between two operations, 18,000 of this document, and
    those that a scenario may begin with come last.
    """
    monkeypatch.setattr(SampledFromStrategy, "_MAX_FILTER_CALLS", 100_000)


def short(role: str) -> Amount:
    """All callers together enumerate the whole document once."""
    return Amount(examples=2, scenarios=6, part=(ROLES.index(role), len(ROLES)))


async def attack(scratch: ScratchFactory, role: str, *rounds: Amount) -> Report:
    """Attack one application; another one on the same database prepares and looks after."""
    async with scratch() as app:
        runtime: Runtime = app.state.runtime
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            world = await make_world(runtime, api, role)
        report = await asyncio.to_thread(run, create_app(runtime.settings), world, rounds)
        await assert_ledger_verifies(runtime)
    assert not report.findings, str(report)
    assert all(report.cases[phase] for phase in PHASES), report.cases
    assert report.cases["stateful"] > sum(one.scenarios for one in rounds), "no step after a first"
    return report


def permitted(operations: dict[str, Any], role: str) -> set[str]:
    """Return the operations that the document lets a caller use, as Schemathesis labels them."""
    callers: dict[str, set[str]] = {
        "person": set(ROLES) - {NOBODY},
        "organizer": {Role.organizer, Role.administrator},
        "reader": {Role.organizer, Role.administrator, Role.auditor},
        "auditor": {Role.auditor, Role.administrator},
        "administrator": {Role.administrator},
        "merchant staff": {STAFF},
        "merchant keeper": {STAFF, Role.organizer, Role.administrator},
        "merchant reader": {STAFF, Role.organizer, Role.administrator, Role.auditor},
    }
    return {
        f"{method.upper()} {path}"
        for path, methods in operations.items()
        for method, operation in methods.items()
        if role in callers.get(operation["x-access-rule"], ROLES)
    }


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
async def test_the_document_is_true(scratch: ScratchFactory, role: str) -> None:
    report = await attack(scratch, role, short(role))
    assert report.cases.total() >= CASES_IN_SHORT / len(ROLES), report.cases


@pytest.mark.security
@pytest.mark.parametrize("role", ROLES)
async def test_the_document_is_true_however_long_one_looks(
    scratch: ScratchFactory, app: FastAPI, role: str
) -> None:
    report = await attack(scratch, role, *LONG)
    assert report.cases.total() >= CASES / len(ROLES), report.cases
    done = {operation for operation, status in report.answers if status < 300}
    assert permitted(app.openapi()["paths"], role) == done

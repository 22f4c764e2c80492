"""What happens to rows after their day was sealed leaves their sealed facts as they were."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from app.jobs import seals as job
from app.models.awards import Award
from app.models.orgs import Org
from app.queries.ledger.sealed_facts import FACTS
from app.runtime import Runtime
from app.schemas.corrections import CorrectionIn
from app.schemas.deductions import DeductionIn
from app.schemas.exchanges import ExchangeIn
from app.schemas.funds import ReceiptIn
from app.schemas.redemptions import ChargeOut, RedemptionOut
from app.services import corrections, deductions, exchanges, funds
from app.services.awards import review
from app.services.ledger import verification
from app.services.redemptions import charges
from app.services.redemptions.charges import ChargeCommand
from tests.factories.activities import make_activity
from tests.factories.attendance import attend, give_by_hand
from tests.factories.awards import TWO_REVIEWERS, approve, reverse
from tests.factories.clock import A_DAY, TODAY, noon, travel
from tests.factories.deductions import deduction_body
from tests.factories.exchanges import make_exchange_agreement
from tests.factories.funds import propose_reversal
from tests.factories.guesses import Uncounted
from tests.factories.http import in_process, keyed
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_person,
)
from tests.factories.points import refund
from tests.factories.presences import come, leave
from tests.factories.rewards import Counter, make_card_codes, make_counter, make_reward, reserve

pytestmark = pytest.mark.usefixtures("at_noon")
YESTERDAY, NOON = TODAY - A_DAY, noon(1)
API = "/api/v1"


@dataclass(frozen=True)
class Deeds:
    """What was done yesterday."""

    attended: Award
    proposed: Award
    charge: UUID
    reserved: list[RedemptionOut]
    receipt: UUID
    deduction: UUID
    corrected: UUID
    exchange_agreement: UUID


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


async def differences(runtime: Runtime) -> list[str]:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    return [f"{one.check} {one.subject}" for one in report.differences]


async def do_yesterday(
    runtime: Runtime, person: TestPerson, org: Org, counter: Counter, administrator: TestPerson
) -> Deeds:
    attended = await attend(runtime, person, org, NOON)
    evidence = TWO_REVIEWERS["evidence"]
    [proposed] = await give_by_hand(
        runtime, [person], org, NOON, "student_placement", evidence=evidence
    )
    reward = await make_reward(runtime, counter)
    with travel(NOON):
        await give_points(runtime, person.id, 90, org=org.id, at=NOON)
        [code] = await make_card_codes(runtime, person, 1)
        async with runtime.database.transaction() as tx:
            command = ChargeCommand(counter.staff.id, code, 5, "咖啡")
            [charge] = await charges.charge(tx, [command], NOON)
        assert isinstance(charge, ChargeOut)
        reserved = [await reserve(runtime, person.id, reward) for _ in range(2)]
        async with runtime.database.transaction() as tx:
            await review.approve(tx, administrator.id, proposed.id)
            worth = {"form": "money", "value_cents": 900}
            given = {"kind": "donation", "points": 9, "giver": "企业"} | worth
            body = ReceiptIn.model_validate(given)
            receipt = await funds.receive(tx, administrator.id, org.id, body)
            breach = DeductionIn.model_validate(deduction_body(org, person))
            deduction = await deductions.deduct(tx, administrator.id, breach, Uncounted())
    corrected = await be_corrected(runtime, org, administrator)
    agreement = await exchange_some(runtime, person, org)
    return Deeds(
        *(attended, proposed, charge.id, reserved, receipt.id, deduction.id, corrected, agreement)
    )


async def exchange_some(runtime: Runtime, person: TestPerson, org: Org) -> UUID:
    """Let a person move points to another programme; return the id of the agreement."""
    with travel(NOON):
        agreement = await make_exchange_agreement(runtime, org)
        body = ExchangeIn(agreement_id=agreement.id, org_id=org.id, points=3)
        async with runtime.database.transaction() as tx:
            await exchanges.exchange(tx, person.id, body)
    return agreement.id


async def be_corrected(runtime: Runtime, org: Org, administrator: TestPerson) -> UUID:
    """Come to an activity without a place, leave, and be corrected; return the check-in's id."""
    visitor = await make_person(runtime)
    with travel(NOON):
        activity = await make_activity(runtime, org=org, starts_at=NOON, hours=3, checks_out=True)
        let_in = {"recorded_by": administrator.id, "may_walk_in": True}
        came = await come(runtime, activity, visitor, **let_in)
    with travel(NOON + timedelta(hours=2)):
        await leave(runtime, activity, visitor)
        body = CorrectionIn(checked_in_at=NOON + timedelta(hours=1), reason="迟到")
        async with runtime.database.transaction() as tx:
            await corrections.correct(tx, administrator.id, came.result.checkin.id, body)
    return came.result.checkin.id


async def go_on(
    api: httpx.AsyncClient, runtime: Runtime, done: Deeds, person: TestPerson, org: Org
) -> list[httpx.Response]:
    """Do today whatever may still happen to the rows of yesterday."""
    first, second = [await make_administrator(runtime, org.id) for _ in "ab"]
    receipt = f"{API}/orgs/{org.id}/fund/receipts/{done.receipt}/reversal/decision"
    breach = f"{API}/deductions/{done.deduction}"
    cancelled = f"{API}/redemptions/{done.reserved[1].id}/cancel"
    end = f"{API}/exchange-agreements/{done.exchange_agreement}/end"
    annulment = f"{API}/checkins/{done.corrected}/annulment"
    return [
        await api.post(end, headers=keyed(first), json={"reason": "不再互换"}),
        await api.post(annulment, headers=keyed(first), json={"reason": "代签"}),
        await approve(api, second, {"id": done.proposed.id}),
        await reverse(api, first, done.attended.id),
        await api.post(cancelled, headers=keyed(person)),
        await propose_reversal(api, first, org, str(done.receipt)),
        await api.post(
            receipt, headers=keyed(second), json={"confirmed": True, "reason": "已核对"}
        ),
        await api.post(f"{breach}/appeal", headers=keyed(person), json={"reason": "当天请过假"}),
        await api.post(
            f"{breach}/decision", headers=keyed(second), json={"granted": True, "reason": "属实"}
        ),
    ]


async def test_what_happens_later_changes_no_sealed_fact(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    counter, administrator = (
        await make_counter(runtime, org=org),
        await make_administrator(runtime, org.id),
    )
    done = await do_yesterday(runtime, person, org, counter, administrator)
    assert await job.seal(runtime) == 1
    assert await differences(runtime) == []

    for response in await go_on(api, runtime, done, person, org):
        assert response.is_success, response.text
    await refund(api, counter, str(done.charge))
    collected = await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": done.reserved[0].pickup_code},
    )
    assert collected.is_success, collected.text
    assert await differences(runtime) == []

    with travel(noon() + A_DAY):
        assert await job.seal(runtime) == 1
    assert [one for one in await differences(runtime) if one.startswith("sealed facts")] == []
    async with runtime.database.read() as tx:
        rows = await tx.fetch("SELECT fact, day FROM ledger_sealed_facts", {})
    assert {row.fact for row in rows} == {one.name for one in FACTS} - {"closed month"}
    # Dated by the clock that dates transfers, not by the database's.
    assert YESTERDAY in {row.day for row in rows if row.fact == "review"}

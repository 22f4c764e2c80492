"""Many at once: what must hold, and that each guard is what makes it hold."""

import pytest
from fastapi import FastAPI
from sqlalchemy import true

from app.queries import charges, checkins, idempotency, redemptions, rewards, waiting_lists
from app.queries.awards import granting as granting_queries
from app.queries.ledger import posting as posting_queries
from tests.concurrency import rushes
from tests.concurrency.guards import (
    take_out_account_locks,
    take_out_references,
    take_out_row_locks,
    without_lock,
)
from tests.concurrency.meeting import meet_after, meet_before
from tests.engines import as_owner
from tests.factories.ledger import assert_ledger_verifies

# --- 200 scans by one person: one check-in, one award ---

ONE_CHECKIN = {
    "statuses": {201: 1, 200: 199},
    "replies": 1,
    "checkins": 1,
    "awards": 1,
    "points": 4,
}


async def test_two_hundred_scans_by_one_person_are_one_check_in(app: FastAPI) -> None:
    assert await rushes.scans_by_one_person(app) == ONE_CHECKIN
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_unique_check_in(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_before(monkeypatch, checkins, "insert", parties=2)
    monkeypatch.setattr(
        checkins,
        "INSERT",
        checkins.INSERT.replace("ON CONFLICT (activity_id, session, person_id) DO NOTHING", ""),
    )
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE checkins DROP CONSTRAINT uq_checkins_activity_id_session_person_id",
        "ALTER TABLE awards DROP CONSTRAINT uq_awards_reference",
        "DROP INDEX uq_ledger_transfers_reference",
    )
    facts = await rushes.scans_by_one_person(broken, number=50)
    assert facts["checkins"] > 1


# --- 500 people for 50 places ---

FIFTY_PLACES = {
    "statuses": {201: 500},
    "confirmed": 50,
    "queue": True,
    "counters": (50, 450),
}


async def test_five_hundred_people_for_fifty_places(app: FastAPI) -> None:
    assert await rushes.people_for_places(app) == FIFTY_PLACES


HUNDRED_PLACES = {
    "statuses": {201: 10_000},
    "confirmed": 100,
    "in_order": True,
    "stored": (100, True),
    "counters": (100, 9_900),
}


@pytest.mark.long
async def test_ten_thousand_people_for_a_hundred_places(app: FastAPI) -> None:
    facts = await rushes.waves_for_places(app, people=10_000, places=100, wave=500)
    assert facts == HUNDRED_PLACES


@pytest.mark.long
async def test_control_of_the_waves_without_the_lock_on_the_seats(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _lock_no_seats(broken, monkeypatch)
    facts = await rushes.waves_for_places(broken, people=120, places=5, wave=60)
    assert facts["confirmed"] > 5
    assert facts["stored"][0] > 5
    assert not facts["in_order"]


@pytest.mark.long
async def test_control_without_the_lock_on_the_seats(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _lock_no_seats(broken, monkeypatch)
    facts = await rushes.people_for_places(broken, people=60, places=5)
    assert facts["confirmed"] > 5


# --- 100 charges against a balance for 7 ---

SEVEN_CHARGES = {"outcomes": {"201": 7, "points.insufficient": 93}, "left": 9}


async def test_a_hundred_charges_against_a_balance_for_seven(app: FastAPI) -> None:
    assert await rushes.charges_against_one_balance(app) == SEVEN_CHARGES
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_lock_on_the_accounts(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _all_read_before_any_writes(broken, monkeypatch)
    facts = await rushes.charges_against_one_balance(broken, number=60)
    assert facts["outcomes"]["201"] > 7


# --- 40 charges against a daily cap for 6 more ---


async def test_a_daily_cap_of_charges_holds_at_once(app: FastAPI) -> None:
    facts = await rushes.charges_against_a_daily_cap(app)
    assert facts == {"outcomes": {"201": 6, "charges.cap_reached": 34}}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_daily_cap_of_charges(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, charges, "paid", parties=rushes.WORKERS)
    facts = await rushes.charges_against_a_daily_cap(broken)
    assert facts["outcomes"]["201"] > 6


# --- one Idempotency-Key, 50 times at once ---

ONE_EFFECT = {"statuses": {201: 50}, "replies": 1, "redemptions": 1, "left": 990}


async def test_one_key_fifty_times_at_once_has_one_effect(app: FastAPI) -> None:
    assert await rushes.one_key_at_once(app) == ONE_EFFECT
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_claim_of_the_key(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_before(monkeypatch, idempotency, "claim", parties=2)
    monkeypatch.setattr(
        idempotency,
        "CLAIM",
        idempotency.CLAIM.replace("ON CONFLICT (person_id, key) DO NOTHING", ""),
    )
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE idempotency_keys DROP CONSTRAINT pk_idempotency_keys",
    )
    facts = await rushes.one_key_at_once(broken, number=10)
    assert facts["redemptions"] > 1


# --- the last item, a limit, a cap ---


async def test_the_last_item_is_sold_once(app: FastAPI) -> None:
    facts = await rushes.the_last_item(app)
    assert facts == {"outcomes": {"201": 1, "rewards.out_of_stock": 19}}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_without_the_condition_on_the_stock(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewards, "enough", lambda _quantity: true())
    await as_owner(
        broken.state.runtime.settings,
        "ALTER TABLE reward_stocks DROP CONSTRAINT ck_reward_stocks_remaining",
    )
    facts = await rushes.the_last_item(broken)
    assert facts["outcomes"]["201"] > 1


async def test_a_personal_limit_holds_at_once(app: FastAPI) -> None:
    facts = await rushes.a_limit_of_one(app)
    assert facts == {"outcomes": {"201": 1, "rewards.limit_reached": 19}}


@pytest.mark.long
async def test_control_of_the_personal_limit(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _all_read_before_any_writes(broken, monkeypatch)
    facts = await rushes.a_limit_of_one(broken)
    assert facts["outcomes"]["201"] > 1


async def test_a_daily_cap_holds_at_once(app: FastAPI) -> None:
    facts = await rushes.activities_against_a_daily_cap(app)
    assert facts == {"statuses": {201: 12}, "awarded": 2, "points": 3}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_daily_cap(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    await _all_read_before_any_writes(broken, monkeypatch)
    facts = await rushes.activities_against_a_daily_cap(broken)
    assert facts["awarded"] > 2


# --- taking back, once ---


async def test_a_charge_is_refunded_once(app: FastAPI) -> None:
    facts = await rushes.refunds_of_one_charge(app)
    assert facts == {"outcomes": {"200": 1, "charges.already_refunded": 11}, "left": 40}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_refund(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redemptions, "is_charged", true)
    facts = await rushes.refunds_of_one_charge(broken)
    # The ledger, the second line, still pays once; but the answers are not the right ones.
    assert "charges.already_refunded" not in facts["outcomes"]
    assert facts["left"] == 40


async def test_parts_of_a_charge_are_never_more_than_it(app: FastAPI) -> None:
    """Four parts of 7 are in 30."""
    facts = await rushes.refunds_of_one_charge(app, points=7)
    assert facts == {"outcomes": {"200": 4, "charges.refund_too_large": 8}, "left": 38}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_parts(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out_row_locks(monkeypatch)
    meet_after(monkeypatch, redemptions, "refunded_in_parts", parties=rushes.WORKERS)
    facts = await rushes.refunds_of_one_charge(broken, points=7)
    assert facts["outcomes"]["200"] > 4


async def test_an_award_is_reversed_once(app: FastAPI) -> None:
    facts = await rushes.reversals_of_one_award(app)
    assert facts == {"outcomes": {"201": 1, "ledger.already_settled": 11}, "left": 100}
    await assert_ledger_verifies(app.state.runtime)


@pytest.mark.long
async def test_control_of_the_reversal(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The award's lock and the ledger's memory of what was settled: one suffices."""
    take_out_row_locks(monkeypatch)
    await take_out_references(broken, monkeypatch)
    meet_after(monkeypatch, granting_queries, "find", parties=rushes.WORKERS)
    facts = await rushes.reversals_of_one_award(broken)
    assert facts["outcomes"]["201"] > 1
    assert facts["left"] < 100


async def _all_read_before_any_writes(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock no account, and let a transaction of every worker read before any of them writes."""
    await take_out_account_locks(broken, monkeypatch)
    meet_after(monkeypatch, posting_queries, "spendable_lots", parties=rushes.WORKERS)
    meet_after(monkeypatch, granting_queries, "tallies", parties=rushes.WORKERS)


async def _lock_no_seats(broken: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transactions of every worker read the free seats before any of them takes one."""
    monkeypatch.setattr(waiting_lists, "LOCK_SEATS", without_lock(waiting_lists.LOCK_SEATS))
    meet_after(monkeypatch, waiting_lists, "lock_seats", parties=rushes.WORKERS)
    await as_owner(
        broken.state.runtime.settings, "ALTER TABLE activities DROP CONSTRAINT ck_activities_seats"
    )

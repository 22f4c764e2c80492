"""Posting lists of transfers: which lots, which numbers, which outcomes."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.ids import new_id
from app.models.ledger import Kind, Purpose
from app.queries.ledger.posting import AccountRow, LotRow, LotUseRow
from app.services.ledger.plan import Plan
from app.services.ledger.types import (
    MINUTES,
    POINTS,
    AccountKey,
    AlreadySettled,
    HoldTerms,
    InsufficientPoints,
    Outcome,
    Posted,
    Posting,
    ReferenceReused,
)

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ORG, ALICE, BOB, SHOP = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
FUND = AccountKey(ORG, Purpose.fund)
TAKINGS = AccountKey(SHOP, Purpose.takings)
TERMS = HoldTerms(AT + timedelta(days=7), "测试退回", timedelta(days=30))


def purse(person: UUID) -> AccountKey:
    return AccountKey(person, Purpose.available)


def held(person: UUID) -> AccountKey:
    return AccountKey(person, Purpose.held)


class World:
    """Accounts and lots in memory: what the database would hold between two lists."""

    def __init__(self) -> None:
        self.accounts: dict[AccountKey, AccountRow] = {}
        self.plan = self.next_list()

    def next_list(self) -> Plan:
        """Begin another list, as another transaction would."""
        before: Any = getattr(self, "plan", None)
        lots: dict[int, list[LotRow]] = defaultdict(list)
        used: dict[UUID, list[tuple[LotUseRow, LotRow]]] = defaultdict(list)
        if before is not None:
            # Read anew, as from the database: equal rows, never the same objects. The plan changes
            # the lots that were read to be spent.
            there = {lot.id: lot for uses in before.used.values() for _, lot in uses}
            there |= {lot.id: lot for found in before.lots.values() for lot in found}
            for account, found in before.lots.items():
                rows = {lot.id: replace(lot) for lot in found if lot.remaining > 0}
                lots[account] = list(rows.values())
            for transfer, uses in before.used.items():
                used[transfer] = [(use, replace(there[lot.id])) for use, lot in uses]
        self.plan = Plan(
            accounts=self.accounts,
            by_reference=dict(before.by_reference) if before else {},
            closed=dict(before.closed) if before else {},
            lots=lots,
            used=used,
            at=AT,
        )
        return self.plan

    def post(self, *postings: Posting) -> list[Outcome]:
        for posting in postings:
            for key in (posting.payer, posting.payee):
                number = len(self.accounts) + 1
                row = AccountRow(number, key.unit_id, key.owner_id, key.purpose, 0, key.floor, 0)
                self.accounts.setdefault(key, row)
        return [self.plan.add(posting) for posting in postings]

    def balance(self, key: AccountKey) -> int:
        return self.accounts[key].balance

    def lots(self, key: AccountKey) -> list[tuple[int, int]]:
        """What is left, by the day on which it expires."""
        found = {lot.id: lot for lot in self.plan.lots[self.accounts[key].id] if lot.remaining}
        return [((lot.expires_at - AT).days, lot.remaining) for lot in found.values()]


def move(payer: AccountKey, payee: AccountKey, amount: int, **changes: Any) -> Posting:
    name = new_id()
    posting = Posting(
        id=name,
        payer=payer,
        payee=payee,
        amount=amount,
        kind=Kind.charge,
        reason="测试",
        reference=str(name),
        source_type="test",
        source_id=name,
        org_id=ORG,
        closes_id=changes.pop("closes_id", None),
        expires_at=changes.pop("expires_at", None),
    )
    return replace(posting, **changes)


def award(person: UUID, amount: int, days: int = 700, **changes: Any) -> Posting:
    return move(FUND, purse(person), amount, expires_at=AT + timedelta(days=days), **changes)


def charge(person: UUID, amount: int, **changes: Any) -> Posting:
    return move(purse(person), TAKINGS, amount, **changes)


@pytest.fixture
def world() -> World:
    return World()


def test_points_that_expire_soonest_are_spent_first(world: World) -> None:
    world.post(award(ALICE, 10, days=30), award(ALICE, 10, days=10), award(ALICE, 10, days=20))
    world.post(charge(ALICE, 15))
    assert world.lots(purse(ALICE)) == [(20, 5), (30, 10)]


def test_a_refund_goes_back_to_the_lots_that_it_came_from(world: World) -> None:
    world.post(award(ALICE, 10, days=10), award(ALICE, 10, days=20))
    spent = charge(ALICE, 15)
    world.post(spent)
    world.next_list()
    world.post(move(TAKINGS, purse(ALICE), 15, closes_id=spent.id, kind=Kind.refund))
    assert world.lots(purse(ALICE)) == [(10, 10), (20, 10)]


def test_a_cancelled_reservation_does_as_well(world: World) -> None:
    hold = move(purse(ALICE), held(ALICE), 12, kind=Kind.hold, terms=TERMS)
    world.post(award(ALICE, 10, days=10), award(ALICE, 10, days=20), hold)
    assert world.lots(purse(ALICE)) == [(20, 8)]
    world.post(move(held(ALICE), purse(ALICE), 12, closes_id=hold.id, kind=Kind.unhold))
    assert world.lots(purse(ALICE)) == [(10, 10), (20, 10)]


def test_what_was_given_back_can_be_spent_in_the_same_list(world: World) -> None:
    first = charge(ALICE, 10)
    outcomes = world.post(
        award(ALICE, 10, days=10),
        first,
        move(TAKINGS, purse(ALICE), 10, closes_id=first.id),
        charge(ALICE, 10),
    )
    assert all(isinstance(one, Posted) for one in outcomes)
    assert world.lots(purse(ALICE)) == []


def test_a_reversal_takes_the_lot_of_the_award_that_it_reverses(world: World) -> None:
    wrong = award(ALICE, 10, days=30)
    world.post(award(ALICE, 10, days=10), wrong, award(ALICE, 10, days=20))
    world.next_list()
    world.post(move(purse(ALICE), FUND, 10, closes_id=wrong.id, kind=Kind.reversal))
    assert world.lots(purse(ALICE)) == [(10, 10), (20, 10)]


def test_a_reversal_of_spent_points_takes_others(world: World) -> None:
    wrong = award(ALICE, 10, days=10)
    world.post(wrong, charge(ALICE, 10), award(ALICE, 10, days=20))
    world.post(move(purse(ALICE), FUND, 10, closes_id=wrong.id, kind=Kind.reversal))
    assert world.balance(purse(ALICE)) == 0


def owe(person: UUID, amount: int) -> Posting:
    return move(purse(person).debt, FUND, amount, kind=Kind.clawback)


def test_what_is_owed_is_paid_from_an_award(world: World) -> None:
    world.post(owe(ALICE, 8), award(ALICE, 5), award(ALICE, 5))
    assert (world.balance(purse(ALICE).debt), world.balance(purse(ALICE))) == (0, 2)
    kinds = [one.kind for one in world.plan.transfers if one.kind is Kind.repayment]
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("went", "back"),
    [
        ((TAKINGS, Kind.charge), Kind.refund),
        ((held(ALICE), Kind.hold), Kind.unhold),
        ((FUND, Kind.deduction), Kind.restitution),
    ],
)
def test_what_is_owed_is_paid_from_what_comes_back(
    world: World, went: tuple[AccountKey, Kind], back: Kind
) -> None:
    """Or points could be put away from a reversal, and taken back after it."""
    place, kind = went
    terms = TERMS if kind is Kind.hold else None
    put_away = move(purse(ALICE), place, 15, kind=kind, terms=terms)
    world.post(award(ALICE, 10, days=10), award(ALICE, 10, days=20), put_away)
    world.post(charge(ALICE, 5), owe(ALICE, 4))
    world.next_list()
    came = move(place, purse(ALICE), 15, closes_id=put_away.id, kind=back)
    world.post(came)
    assert (world.balance(purse(ALICE).debt), world.balance(purse(ALICE))) == (0, 11)
    assert world.lots(purse(ALICE)) == [(10, 6), (20, 5)], "soonest to expire first"
    world.post(came)
    assert world.balance(purse(ALICE)) == 11, "a repeated posting pays nothing"


def test_a_debt_in_one_unit_is_not_paid_in_another(world: World) -> None:
    theirs = AccountKey(ALICE, Purpose.available, 3)
    fund = AccountKey(ORG, Purpose.fund, 3)
    world.post(owe(ALICE, 4), move(fund, theirs, 5, expires_at=AT + timedelta(days=9)))
    assert (world.balance(theirs), world.balance(purse(ALICE).debt)) == (5, -4)


def test_minutes_have_no_lots(world: World) -> None:
    payee = AccountKey(ALICE, Purpose.available, MINUTES)
    fund = AccountKey(ORG, Purpose.fund, MINUTES)
    world.post(move(fund, payee, 60, kind=Kind.award))
    assert world.plan.made == []


def test_too_few_points_disturb_nobody_else(world: World) -> None:
    outcomes = world.post(
        award(ALICE, 10), charge(ALICE, 11), charge(ALICE, 10), charge(BOB, 1), award(BOB, 5)
    )
    kinds = [type(one) for one in outcomes]
    assert kinds == [Posted, InsufficientPoints, Posted, InsufficientPoints, Posted]
    assert world.balance(purse(ALICE)) == 0
    assert world.balance(TAKINGS) == 10
    assert world.balance(purse(BOB)) == 5


def test_a_list_is_taken_in_order(world: World) -> None:
    outcomes = world.post(charge(ALICE, 5), award(ALICE, 5))
    assert isinstance(outcomes[0], InsufficientPoints)
    assert world.balance(purse(ALICE)) == 5


def test_one_reference_twice_in_a_list_moves_once(world: World) -> None:
    first = award(ALICE, 10, reference="checkin:1")
    second = award(ALICE, 10, reference="checkin:1")
    one, other = world.post(first, second)
    assert isinstance(one, Posted)
    assert other == replace(one, replayed=True)
    assert world.balance(purse(ALICE)) == 10


def test_one_reference_in_two_lists_moves_once(world: World) -> None:
    (one,) = world.post(award(ALICE, 10, reference="checkin:1"))
    world.next_list()
    (other,) = world.post(award(ALICE, 10, reference="checkin:1"))
    assert isinstance(one, Posted)
    assert other == replace(one, replayed=True)
    assert world.plan.transfers == []


@pytest.mark.parametrize("other", [award(ALICE, 11), award(BOB, 10), charge(ALICE, 10)])
def test_a_reference_for_something_else_is_refused(world: World, other: Posting) -> None:
    world.post(award(ALICE, 10, reference="checkin:1"))
    (outcome,) = world.post(replace(other, reference="checkin:1"))
    assert isinstance(outcome, ReferenceReused)
    assert world.balance(purse(ALICE)) == 10


def test_a_transfer_is_settled_once(world: World) -> None:
    hold = move(purse(ALICE), held(ALICE), 10, kind=Kind.hold, terms=TERMS)
    world.post(award(ALICE, 10), hold)
    outcomes = world.post(
        move(held(ALICE), TAKINGS, 10, closes_id=hold.id, kind=Kind.collect),
        move(held(ALICE), purse(ALICE), 10, closes_id=hold.id, kind=Kind.unhold),
    )
    assert [type(one) for one in outcomes] == [Posted, AlreadySettled]
    world.next_list()
    (later,) = world.post(move(held(ALICE), purse(ALICE), 10, closes_id=hold.id))
    assert isinstance(later, AlreadySettled)


def test_numbers_run_without_a_gap_on_both_sides(world: World) -> None:
    world.post(award(ALICE, 10), charge(ALICE, 99), award(BOB, 3), charge(ALICE, 4))
    seen: dict[int, list[int]] = defaultdict(list)
    for one in world.plan.transfers:
        seen[one.from_account_id].append(one.from_number)
        seen[one.to_account_id].append(one.to_number)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def test_a_transfer_records_both_balances_after_it(world: World) -> None:
    outcomes = world.post(award(ALICE, 10), charge(ALICE, 4))
    balances = [(one.from_balance, one.to_balance) for one in outcomes if isinstance(one, Posted)]
    assert balances == [(-10, 10), (6, 4)]


def test_a_fund_may_issue_without_a_budget_and_a_person_may_not(world: World) -> None:
    (given_,) = world.post(award(ALICE, 10**9))
    (refused,) = world.post(move(TAKINGS, FUND, 1))
    assert isinstance(given_, Posted)
    assert isinstance(refused, InsufficientPoints)


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_no_transfer(amount: int) -> None:
    with pytest.raises(AssertionError):
        charge(ALICE, amount)


def test_points_do_not_turn_into_minutes() -> None:
    with pytest.raises(AssertionError):
        move(FUND, AccountKey(ALICE, Purpose.available, MINUTES), 5)


def test_points_for_a_person_need_an_end_or_an_origin() -> None:
    with pytest.raises(AssertionError):
        move(FUND, purse(ALICE), 5)


people = st.sampled_from([ALICE, BOB, uuid4()])
steps = st.lists(
    st.tuples(
        st.sampled_from(["award", "charge", "refund", "repeat", "cut"]),
        people,
        st.integers(1, 12),
        st.integers(1, 5),
    ),
    max_size=40,
)


SPENT_AFTER_A_CUT = [
    ("award", ALICE, 10, 1),
    ("charge", ALICE, 4, 1),
    ("cut", ALICE, 1, 1),
    ("charge", ALICE, 6, 1),
    ("cut", ALICE, 1, 1),
    ("refund", ALICE, 2, 1),  # of the first charge
]


@settings(deadline=None)
@given(steps)
@example(SPENT_AFTER_A_CUT)
def test_lots_always_sum_to_the_balance_and_nothing_is_lost(
    story: list[tuple[str, UUID, int, int]],
) -> None:
    """Whatever happens in whatever order, in however many lists."""
    world = World()
    charges: list[Posting] = []
    posted: list[Posting] = []
    for what, person, amount, days in story:
        if what == "cut":
            world.next_list()
        elif what == "repeat" and posted:
            (again,) = world.post(posted[amount % len(posted)])
            assert isinstance(again, Posted)
            assert again.replayed
        elif what == "refund" and charges:
            first = charges.pop(amount % len(charges))
            back = move(TAKINGS, first.payer, first.amount, closes_id=first.id)
            assert isinstance(world.post(back)[0], Posted)
            posted.append(back)
        elif what in {"award", "charge"}:
            one = award(person, amount, days) if what == "award" else charge(person, amount)
            (outcome,) = world.post(one)
            if isinstance(outcome, Posted):
                posted.append(one)
                charges += [one] if what == "charge" else []
        for key, account in world.accounts.items():
            assert account.floor is None or account.balance >= account.floor
            if key.has_lots:
                assert sum(left for _, left in world.lots(key)) == account.balance
            assert key.unit_id == POINTS
        assert sum(account.balance for account in world.accounts.values()) == 0

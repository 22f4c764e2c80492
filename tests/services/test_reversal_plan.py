"""What a reversal takes back, from where, and what is owed."""

from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.services.awards import reversal_plan
from app.services.awards.postings import minutes_id
from app.services.awards.reversal_plan import Given, Holdings, Parts, ReversalPlan
from app.services.ledger.types import MINUTES, POINTS, AccountKey

ORG, ALICE = UUID(int=1), UUID(int=2)
BUDGET, FUND = AccountKey(ORG, Purpose.budget), AccountKey(ORG, Purpose.fund)
PENDING, AVAILABLE, DEBT = (
    AccountKey(ALICE, purpose) for purpose in (Purpose.pending, Purpose.available, Purpose.debt)
)
some = st.integers(0, 60)


def award(points: int = 8, *, minutes: int = 0, state: AwardState = AwardState.available) -> Award:
    values: dict[str, Any] = {
        "id": uuid4(),
        "person_id": ALICE,
        "org_id": ORG,
        "unit_id": POINTS,
        "points": points,
        "minutes": minutes,
        "state": state,
    }
    return Award(**values)


def plan(
    one: Award, fund: AccountKey | None = FUND, part: int | None = None, **holdings: Any
) -> ReversalPlan:
    what = Given(fund=fund, closes=one.id, has_hours=one.minutes > 0)
    return reversal_plan.plan(one, what, Holdings(**({"max_debt": 50} | holdings)), "有误", part)


def moves(made: ReversalPlan) -> list[tuple[AccountKey, AccountKey, int, Kind]]:
    return [(one.payer, one.payee, one.amount, one.kind) for one in made.postings]


def test_what_is_there_goes_back() -> None:
    one = award()
    made = plan(one, spendable=20)
    assert made.parts == Parts(available=8)
    assert moves(made) == [(AVAILABLE, FUND, 8, Kind.reversal)]
    assert (made.id, made.postings[0].closes_id) == (made.postings[0].id, one.id)


def test_what_is_pending_goes_back_whatever_the_person_has() -> None:
    one = award(state=AwardState.notice)
    made = plan(one, spendable=3, spent=9)
    assert made.parts == Parts(pending=8)
    assert moves(made) == [(PENDING, FUND, 8, Kind.reversal)]


def test_what_was_spent_is_owed_and_beyond_the_largest_debt_lost() -> None:
    made = plan(award(), spendable=1, spent=7, owes=3, max_debt=5)
    assert made.parts == Parts(available=1, debt=2, lost=2, expired=3)
    made = plan(award(), spendable=1, spent=7, max_debt=5)
    assert made.parts == Parts(available=1, debt=5, lost=2)
    assert [one.closes_id for one in made.postings] == [made.postings[0].closes_id, None]


def test_a_debt_does_not_fill_a_limited_fund() -> None:
    made = plan(award(), BUDGET, spendable=2, spent=6)
    assert moves(made) == [
        (AVAILABLE, BUDGET, 2, Kind.reversal),
        (DEBT, FUND, 6, Kind.clawback),
    ]


def test_what_has_expired_is_not_taken_again() -> None:
    assert plan(award(), spendable=20, expired=5).parts == Parts(available=3, expired=5)
    made = plan(award(), expired=8)
    assert (made.parts, made.postings) == (Parts(expired=8), [])


def test_nobody_owes_what_other_awards_have_paid_for() -> None:
    assert plan(award(), spent=10, standing=7).parts == Parts(debt=3, expired=5)


def test_a_part_closes_nothing_and_leaves_the_hours() -> None:
    one = award(minutes=60)
    made = plan(one, part=5, spendable=3, spent=5)
    assert made.parts == Parts(available=3, debt=2)
    found = [(one.closes_id, one.first_of, one.payer.unit_id) for one in made.postings]
    assert found == [(None, one.id, POINTS)] * 2
    assert len({posting.reference for posting in made.postings}) == 2
    one.points_reversed = 5
    again = plan(one, part=1, spendable=1)
    assert again.postings[0].reference != made.postings[0].reference


def test_a_part_takes_what_lives_before_what_has_expired() -> None:
    assert plan(award(), part=4, spendable=9, expired=5).parts == Parts(available=3, expired=1)


def test_what_is_left_of_an_award_stands() -> None:
    """Of eight points six were spent, by other awards' names: five that stand paid for five."""
    assert plan(award(), part=3, spent=6).parts == Parts(debt=1, expired=2)


def test_hours_go_back_with_the_points_or_alone() -> None:
    one = award(minutes=60)
    both = plan(one, spendable=8)
    assert [posting.payer.unit_id for posting in both.postings] == [POINTS, MINUTES]
    assert both.id == both.postings[0].id
    alone = plan(one, None)
    assert (alone.parts, alone.id) == (Parts(), alone.postings[0].id)
    assert [posting.closes_id for posting in alone.postings] == [minutes_id(one.id)]


def test_of_nothing_nothing_goes_back_and_nothing_is_locked() -> None:
    one = award(0)
    made = plan(one, None)
    assert (made.id, made.postings) == (one.id, [])
    assert reversal_plan.accounts(one, Given(None, one.id, has_hours=False)) == []


@given(st.integers(1, 60), some, some, some, some, some, some)
def test_the_parts_sum_to_the_award_and_stay_within_their_bounds(
    points: int, spendable: int, expired: int, spent: int, standing: int, owes: int, max_debt: int
) -> None:
    one = award(points)
    made = plan(
        one,
        spendable=spendable,
        expired=min(expired, points),
        spent=spent,
        standing=standing,
        owes=owes,
        max_debt=max_debt,
    )
    parts = made.parts
    amounts = (parts.pending, parts.available, parts.debt, parts.lost, parts.expired)
    assert sum(amounts) == points
    assert min(amounts) >= 0
    assert parts.available <= spendable
    assert parts.debt == 0 or parts.debt + owes <= max_debt
    assert sum(posting.amount for posting in made.postings) == parts.available + parts.debt
    used = {key for posting in made.postings for key in (posting.payer, posting.payee)}
    assert used <= set(reversal_plan.accounts(one, Given(FUND, one.id, has_hours=False)))

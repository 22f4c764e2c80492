"""Caps: of a rule and overall, by day, month and year; each binds, and says that it does."""

from dataclasses import replace

import pytest

from app.models.awards import AwardReason
from app.queries.awards.granting import Tally
from app.services.awards.caps import apply_caps
from app.services.policies import publishing
from app.services.policies.rules import PointsPolicy
from tests.factories.policies import SHIPPED

POLICY = PointsPolicy(version=1, unit_id=1, document=publishing.check(SHIPPED))
# 3 points an item, at most 3 a day and 6 a month; overall 24 a day, 150 a month, 800 a year.
RULE = POLICY.document.rules["council_submit"]


@pytest.mark.parametrize(
    ("earned", "left", "reason"),
    [
        ({}, 3, AwardReason.full),
        ({"council_submit": Tally(2, 2, 2)}, 1, AwardReason.cap_day),
        ({"council_submit": Tally(0, 5, 5)}, 1, AwardReason.cap_month),
        ({"commendation": Tally(22, 22, 22)}, 2, AwardReason.overall_day),
        ({"commendation": Tally(0, 149, 149)}, 1, AwardReason.overall_month),
        ({"commendation": Tally(0, 150, 150)}, 0, AwardReason.overall_month),
        ({"commendation": Tally(0, 0, 798)}, 2, AwardReason.overall_year),
        ({"commendation": Tally(0, 0, 800)}, 0, AwardReason.overall_year),
        ({"taskforce_emergency": Tally(24, 24, 24)}, 3, AwardReason.full),
        ({"taskforce_emergency": Tally(47, 47, 47)}, 1, AwardReason.overall_day),
        (
            {"taskforce_emergency": Tally(4, 4, 4), "commendation": Tally(22, 22, 22)},
            2,
            AwardReason.overall_day,
        ),
    ],
)
def test_the_tightest_cap_binds(earned: dict[str, Tally], left: int, reason: AwardReason) -> None:
    assert apply_caps(POLICY, RULE, 3, earned, had=False) == (left, reason)


@pytest.mark.parametrize(("before", "left"), [(20, 24), (24, 24), (30, 18)])
def test_an_emergency_makes_room_for_itself(before: int, left: int) -> None:
    emergency = POLICY.document.rules["taskforce_emergency"]
    earned = {"commendation": Tally(before, before, before)}
    assert apply_caps(POLICY, emergency, 24, earned, had=False)[0] == left


def test_who_allows_little_beside_an_emergency_allows_no_more_without_one() -> None:
    """One on the way down may have lowered ``emergency_day``, and one above raised ``day``."""
    caps = POLICY.document.caps.model_copy(update={"day": 40, "emergency_day": 20})
    policy = replace(POLICY, document=POLICY.document.model_copy(update={"caps": caps}))
    rule = policy.document.rules["commendation"]
    assert apply_caps(policy, rule, 24, {}, had=False) == (20, AwardReason.overall_day)


def test_a_cap_of_a_year_binds() -> None:
    rule = POLICY.document.rules["blood_donation"]
    earned = {rule.key: Tally(0, 0, 15)}
    assert apply_caps(POLICY, rule, 10, earned, had=False) == (5, AwardReason.cap_year)


def test_what_is_given_once_is_not_given_again() -> None:
    assert apply_caps(POLICY, RULE, 3, {}, had=True) == (0, AwardReason.once)

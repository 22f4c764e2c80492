"""Days and periods in Asia/Shanghai, instants in UTC."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.clock import (
    BEGINNING,
    SHANGHAI,
    Period,
    local_date,
    midnight,
    month_start,
    now,
    period_start,
)

PERIODS: tuple[Period, ...] = ("day", "week", "month", "quarter", "year")
moments = st.integers(1_577_923_200, 4_102_358_400).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_now_is_utc() -> None:
    assert now().tzinfo is UTC
    assert abs(now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (utc(2026, 3, 31, 15, 59, 59), date(2026, 3, 31)),
        (utc(2026, 3, 31, 16, 0, 0), date(2026, 4, 1)),
        (utc(2026, 4, 1, 0, 0, 0), date(2026, 4, 1)),
        (utc(2025, 12, 31, 16), date(2026, 1, 1)),
    ],
)
def test_a_day_begins_at_16_utc_of_the_day_before(moment: datetime, day: date) -> None:
    assert local_date(moment) == day


@pytest.mark.parametrize(
    ("period", "before", "at"),
    [
        ("day", utc(2026, 5, 19, 16), utc(2026, 5, 20, 16)),
        ("week", utc(2026, 5, 10, 16), utc(2026, 5, 17, 16)),  # Monday the 18th
        ("month", utc(2026, 3, 31, 16), utc(2026, 4, 30, 16)),
        ("quarter", utc(2026, 3, 31, 16), utc(2026, 6, 30, 16)),
        ("year", utc(2024, 12, 31, 16), utc(2025, 12, 31, 16)),
    ],
)
def test_a_period_turns_at_shanghai_midnight(
    period: Period, before: datetime, at: datetime
) -> None:
    assert period_start(at, period) == at
    assert period_start(at - timedelta(microseconds=1), period) == before


def test_all_began_before_everything() -> None:
    assert period_start(now(), "all") == BEGINNING == utc(2019, 12, 31, 16)


@given(moments, st.sampled_from(PERIODS))
def test_a_period_holds_its_moment(moment: datetime, period: Period) -> None:
    start = period_start(moment, period)
    assert start <= moment
    assert start.tzinfo is UTC
    assert start.astimezone(SHANGHAI).time().isoformat() == "00:00:00"
    assert period_start(start, period) == start


@given(moments)
def test_longer_periods_begin_earlier(moment: datetime) -> None:
    starts = [period_start(moment, period) for period in ("day", "month", "quarter", "year", "all")]
    assert all(later >= earlier for later, earlier in pairwise(starts))


@given(moments)
def test_a_week_begins_on_monday(moment: datetime) -> None:
    start = period_start(moment, "week")
    assert local_date(start).weekday() == 0
    assert moment - start < timedelta(days=7)


@given(moments)
def test_a_quarter_begins_in_one_of_four_months(moment: datetime) -> None:
    first = local_date(period_start(moment, "quarter"))
    assert (first.month, first.day) in {(1, 1), (4, 1), (7, 1), (10, 1)}
    assert 0 <= local_date(moment).month - first.month <= 2


@given(moments)
def test_the_zone_of_a_moment_does_not_matter(moment: datetime) -> None:
    for period in PERIODS:
        assert period_start(moment.astimezone(SHANGHAI), period) == period_start(moment, period)


@given(st.dates(date(2020, 1, 1), date(2099, 12, 31)))
def test_midnight_and_local_date_are_inverse(day: date) -> None:
    assert local_date(midnight(day)) == day
    assert local_date(midnight(day) - timedelta(microseconds=1)) == day - timedelta(days=1)


@pytest.mark.parametrize(
    ("plus", "start"),
    [
        (0, utc(2026, 10, 31, 16)),
        (1, utc(2026, 11, 30, 16)),
        (2, utc(2026, 12, 31, 16)),
        (25, utc(2028, 11, 30, 16)),
        (-11, utc(2025, 11, 30, 16)),
    ],
)
def test_months_are_counted_over_the_year(plus: int, start: datetime) -> None:
    assert month_start(2026, 11, plus=plus) == start


@given(moments, st.integers(-24, 240))
def test_a_month_follows_the_month_before(moment: datetime, plus: int) -> None:
    day = local_date(moment)
    start = month_start(day.year, day.month, plus=plus)
    after = month_start(day.year, day.month, plus=plus + 1)
    assert timedelta(days=28) <= after - start <= timedelta(days=31)
    assert local_date(start).day == 1

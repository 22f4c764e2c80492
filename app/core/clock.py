"""Time: UTC on the wire and in the database, Asia/Shanghai for calendar days and periods."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
Period = Literal["day", "week", "month", "quarter", "year", "all"]
BEGINNING = datetime(2020, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)


def now() -> datetime:
    """Return the server's time in UTC. Times that a client sends are never used instead."""
    return datetime.now(UTC)


def local_date(moment: datetime) -> date:
    """Return the calendar day in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def local_time(moment: datetime) -> datetime:
    """What the clock in Shanghai showed, to the second: spreadsheets know no zones."""
    return moment.astimezone(SHANGHAI).replace(microsecond=0, tzinfo=None)


def midnight(day: date) -> datetime:
    """Return the first instant of a Shanghai day, in UTC."""
    return datetime.combine(day, time.min, tzinfo=SHANGHAI).astimezone(UTC)


def period_start(moment: datetime, period: Period) -> datetime:
    """Return the first instant (UTC) of the Shanghai period that contains ``moment``.

    Weeks begin on Monday. ``all`` begins on 1 January 2020, before any record.
    """
    day = local_date(moment)
    match period:
        case "day":
            first = day
        case "week":
            first = day - timedelta(days=day.weekday())
        case "month":
            first = day.replace(day=1)
        case "quarter":
            first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            first = day.replace(month=1, day=1)
        case "all":
            return BEGINNING
    return midnight(first)


def month_start(year: int, month: int, *, plus: int = 0) -> datetime:
    """Return the first instant (UTC) of the month ``plus`` months after the given one."""
    index = year * 12 + (month - 1) + plus
    return midnight(date(index // 12, index % 12 + 1, 1))


def years_before(day: date, years: int) -> date:
    """Return the same day of an earlier year; of 29 February the last one of the month."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def age_on(born: date, day: date) -> int:
    """Return the age in whole years on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

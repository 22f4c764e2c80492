"""Delays of what is tried for ever."""

from app.core import backoff


def test_a_delay_doubles_up_to_its_limit() -> None:
    assert [backoff.delay(n, 1, 30) for n in range(8)] == [1, 1, 2, 4, 8, 16, 30, 30]


def test_a_delay_of_very_many_failures_is_the_limit() -> None:
    """2 to the power of 1,024 is beyond a float: a day of failures must not raise."""
    assert backoff.delay(100_000, 0.05, 2.0) == 2.0

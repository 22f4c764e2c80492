"""Delays between the attempts of what is tried for ever."""


def delay(failures: int, first: float, most: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, to ``most``.

    ``failures`` may grow without limit: the power is bounded before it leaves a float's range.
    """
    doubled = first * 2.0 ** min(max(failures - 1, 0), 60)
    return min(doubled, most)

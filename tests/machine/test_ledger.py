"""The ledger against its model: what people do, in any order, comes out as the rules say.

``make test`` plays the same fifty runs each time, so that it fails for what was changed and
not by chance. ``make test-long`` plays others each time, and a failure says how to play it
again: the line it prints goes above ``class LedgerMachine``.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from app.core.embedded import Engines
from tests.machine.county import County
from tests.machine.machine import LedgerMachine

STEPS = 50
A_GOOD_SHARE = 0.05  # of runs
# What must happen, or the machine does not go where points may go wrong.
PATHS = {
    *("approve: done", "approve: awards.not_pending"),
    *("award: available", "award: pending", "award: pending_budget"),
    *("cancel: done", "cancel: redemptions.not_reserved"),
    *("charge: done", "charge: points.insufficient"),
    *("collect: done", "collect: redemptions.not_reserved"),
    *("hold: done", "hold: points.insufficient"),
    *("refund: done", "refund: charges.already_refunded"),
    *("release: some", "pay: some", "end holds: some", "end lots: some"),
    *("reverse: done", "reverse: ledger.already_settled", "reverse: ledger.transfer_not_found"),
    *("reverse: pending", "reverse: available", "reverse: owed", "reverse: lost"),
    *("debt: repaid", "lot: revived"),
}


@pytest.fixture
def county(engines_and_template: tuple[Engines, str], worker_number: int) -> Iterator[County]:
    found = County(*engines_and_template, redis_db=8 + worker_number)
    found.open()
    yield found
    found.close()


def play(
    county: County, monkeypatch: pytest.MonkeyPatch, runs: int, *, same_each_time: bool
) -> dict[str, float]:
    """Play some runs; return in which share of them each act came to what."""
    told: list[Counter[str]] = []
    monkeypatch.setattr(LedgerMachine, "county", county, raising=False)
    monkeypatch.setattr(LedgerMachine, "runs", told, raising=False)
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            derandomize=same_each_time,
            print_blob=True,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert len(told) >= runs
    shares = {name: sum(one[name] > 0 for one in told) / len(told) for name in sum(told, Counter())}
    for name, share in sorted(shares.items()):
        print(f"{name:45}{share:5.0%}")  # noqa: T201
    return shares


def test_fifty_runs(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = play(county, monkeypatch, 50, same_each_time=True)

    assert {path for path in PATHS if not shares.get(path)} == set()


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_five_hundred_other_runs(
    county: County, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    """In four parts, so that two workers share them."""
    shares = play(county, monkeypatch, 125, same_each_time=False)

    assert {path for path in PATHS if shares.get(path, 0) < A_GOOD_SHARE} == set()

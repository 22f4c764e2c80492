"""Spending against its model: cards, rewards, charges, redemption days and refunds in any order.

``make test-long`` plays the same runs each time, by which planted flaws are found, and others. A
failure says how to play it again: the line it prints goes above ``class SpendingMachine``.
"""

from collections import Counter
from collections.abc import Iterator
from secrets import randbits
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from app.embedded.layout import Engines
from tests.machine.county import County
from tests.machine.visiting import SpendingMachine
from tests.machine.wares import POLICY

SEEDS, RUNS, STEPS = 4, 12, 60
# What must happen in some run, or the machine does not go where points or goods may go wrong.
PATHS = {
    *("cancel: done", "cancel: redemptions.not_reserved", "name: done", "revoke: done"),
    *("charge: cards.code_invalid", "charge: cards.code_used", "charge: charges.cap_reached"),
    *("charge: done", "charge: merchants.codes_locked", "charge: points.insufficient"),
    *("close: done", "close: redemption_days.not_open", "close: redemption_days.unbalanced"),
    *("collect: done", "collect: redemptions.not_found", "collect: redemptions.not_reserved"),
    *("confirm: done", "decide: done", "dispute: done", "expire: some", "expire charges: some"),
    *("fetch: done", "fetch: cards.suspended", "freeze: done", "lose: done", "replace: done"),
    *("hand over: cards.code_used", "hand over: done", "hand over: redemption_days.not_open"),
    *("order: cards.suspended", "order: day_orders.limit_reached", "order: done"),
    *("order: day_orders.out_of_stock", "order: rewards.tier_too_low"),
    *("propose: done", "proxy: done", "proxy: redemptions.not_reserved"),
    *("refund: after a part", "refund: charges.already_refunded", "refund: done"),
    *("refund: charges.refund_too_large", "reserve: cards.suspended", "reserve: done"),
    *("reserve: rewards.limit_reached", "reserve: rewards.out_of_stock", "restock: done"),
    *("reserve: rewards.tier_too_low", "settle: some", "undo: done"),
    *("undo: redemptions.undo_too_late", "wait: reward_waits.in_stock", "walk in: done"),
}


@pytest.fixture
def machine(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> Iterator[type[SpendingMachine]]:
    found = County(*engines_and_template, redis_db=8 + worker_number, policy=POLICY)
    found.open()

    class Machine(SpendingMachine):
        county = found
        runs: ClassVar[list[Counter[str]]] = []

    yield Machine
    found.close()


def play(machine: type[SpendingMachine], runs: int, *, is_seeded: bool) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            derandomize=is_seeded,
            print_blob=True,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.long
def test_the_same_runs(machine: type[SpendingMachine]) -> None:
    """So that it fails for what was changed and not by chance."""
    for number in range(SEEDS):
        play(seed(number)(machine), RUNS, is_seeded=True)

    told = sum(machine.runs, Counter[str]())
    shares = {name: sum(one[name] > 0 for one in machine.runs) for name in told}
    for name, share in sorted(shares.items()):
        print(f"{name:45}{share:4} of {len(machine.runs)} runs")  # noqa: T201
    assert {path for path in PATHS if not told[path]} == set()


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_other_runs(machine: type[SpendingMachine], part: int) -> None:
    """Where they come to is up to chance. In two parts, so that two workers share them."""
    for _ in range(3):
        play(seed(randbits(32))(machine), 20, is_seeded=False)

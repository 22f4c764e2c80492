"""Sign-ups against their model: places, waiting lists, offers and approvals in any order."""

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from app.embedded.layout import Engines
from tests.machine.county import County
from tests.machine.signing_up import SignupMachine

SEEDS, RUNS, STEPS = 4, 10, 40
# What must happen in some run, or the machine does not go where places may go wrong.
PATHS = {
    *("sign up: done", "sign up: signups.clash", "sign up: signups.too_many_friends"),
    *("cancel: done", "accept: done", "decide: done", "resize: several back"),
    *(f"has: {one}" for one in ("confirmed", "waitlisted", "offered", "pending", "declined")),
}


@pytest.fixture
def machine(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> Iterator[type[SignupMachine]]:
    found = County(*engines_and_template, redis_db=8 + worker_number)
    found.open()

    class Machine(SignupMachine):
        county = found
        runs: ClassVar[list[Counter[str]]] = []

    yield Machine
    found.close()


def test_ten_runs(machine: type[SignupMachine]) -> None:
    play(machine, seeds=1)
    assert sum(machine.runs, Counter[str]())["sign up: done"] > 0


@pytest.mark.long
def test_forty_runs(machine: type[SignupMachine]) -> None:
    play(machine, SEEDS)
    told = sum(machine.runs, Counter[str]())
    assert {path for path in PATHS if not told[path]} == set()


def play(machine: type[SignupMachine], seeds: int) -> None:
    """Play the same runs each time, so that it fails for what was changed and not by chance."""
    for number in range(seeds):
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=RUNS,
                stateful_step_count=STEPS,
                derandomize=True,
                print_blob=True,
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )

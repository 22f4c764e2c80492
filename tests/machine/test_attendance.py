"""Presences against their model: who comes, leaves, forgets and is corrected, in any order.

``make test`` plays the same runs each time; ``make test-long`` plays others each time, and a
failure says how to play it again: the line it prints goes above ``class AttendanceMachine``.
"""

from collections import Counter
from collections.abc import Iterator
from secrets import randbits
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from app.embedded.layout import Engines
from tests.machine.attending import AttendanceMachine
from tests.machine.county import County
from tests.machine.door import POLICY

SEEDS, RUNS, STEPS = 4, 5, 40
# What must happen in some run, or the machine does not go where minutes may go wrong.
PATHS = {
    *("come: done", "come: again", "come: checkins.not_signed_up", "come: checkins.outside_window"),
    *("let in: done", "let in: again", "let in: checkins.not_signed_up"),
    *("leave: done", "leave: again", "leave: checkouts.not_asked", "let out: done"),
    *("leave: checkouts.not_checked_in", "leave: checkouts.over", "forget: some"),
    *("correct: done", "correct: was inside", "correct: request.invalid"),
    *("correct: corrections.annulled", "correct: corrections.still_inside"),
    *("annul: done", "shared time"),
}


@pytest.fixture
def machine(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> Iterator[type[AttendanceMachine]]:
    found = County(*engines_and_template, redis_db=8 + worker_number, policy=POLICY)
    found.open()

    class Machine(AttendanceMachine):
        county = found
        runs: ClassVar[list[Counter[str]]] = []

    yield Machine
    found.close()


def play(machine: type[AttendanceMachine], runs: int, *, is_seeded: bool) -> None:
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


def test_twenty_runs(machine: type[AttendanceMachine]) -> None:
    for number in range(SEEDS):
        play(seed(number)(machine), RUNS, is_seeded=True)

    told = sum(machine.runs, Counter[str]())
    assert {path for path in PATHS if not told[path]} == set()


@pytest.mark.long
def test_two_hundred_other_runs(machine: type[AttendanceMachine]) -> None:
    for _ in range(8):
        play(seed(randbits(32))(machine), 25, is_seeded=False)

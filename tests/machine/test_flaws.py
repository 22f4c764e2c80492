"""Planted flaws in ledger, sign-ups, presences and spending, each of which a machine finds."""

from pathlib import Path

import pytest

from tests.engines import ROOT
from tests.flaws import apply, assert_found, finders, title

PATCHES = sorted((Path(__file__).parent / "flaws").glob("*.patch"))
MINIMUM, OF_SIGNUPS, OF_PRESENCES, OF_SPENDING = 5, 3, 3, 5
LEDGER = ["tests/machine/test_ledger.py::test_fifty_runs"]
SIGNUPS = ["tests/machine/test_signups.py::test_forty_runs"]
PRESENCES = ["tests/machine/test_attendance.py::test_twenty_runs"]
SPENDING = ["tests/machine/test_spending.py::test_the_same_runs"]
# That it fails is enough here: nobody reads the shortest way to it.
AT_ONCE = "--hypothesis-profile=without_shrinking"


def test_there_are_five_flaws_and_the_machine_must_find_each() -> None:
    assert len({title(patch) for patch in PATCHES}) == len(PATCHES)
    found = [finders(patch) for patch in PATCHES]
    assert found.count(LEDGER) >= MINIMUM
    assert found.count(SIGNUPS) >= OF_SIGNUPS
    assert found.count(PRESENCES) >= OF_PRESENCES
    assert found.count(SPENDING) >= OF_SPENDING
    assert all(one in (LEDGER, SIGNUPS, PRESENCES, SPENDING) for one in found)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_still_applies_to_the_application(patch: Path) -> None:
    apply(patch, ROOT, "--check")


@pytest.mark.long
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_machine_finds_a_planted_flaw(
    engines_and_template: object, tree: Path, worker_number: int, patch: Path
) -> None:
    (said,) = assert_found(patch, tree, worker_number, AT_ONCE)
    assert "unlike the model" in said

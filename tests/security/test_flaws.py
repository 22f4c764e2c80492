"""Planted flaws: each patch opens a hole in a copy of the application, and is found.

The negative control of everything else that is here: a guard whose loss no test notices is
not tested.
"""

from pathlib import Path

import pytest

from tests.engines import ROOT
from tests.flaws import apply, assert_found, finders, run, title

PATCHES = sorted((Path(__file__).parent / "flaws").glob("*.patch"))
MINIMUM = 10
NAMES = sorted({name for patch in PATCHES for name in finders(patch)})
AT_ONCE = 20  # tests of a run


def test_there_are_ten_flaws_and_each_has_a_title_and_its_tests() -> None:
    assert len({title(patch) for patch in PATCHES}) == len(PATCHES) >= MINIMUM
    for patch in PATCHES:
        assert finders(patch), patch.name


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_still_applies_to_the_application(patch: Path) -> None:
    apply(patch, ROOT, "--check")


@pytest.mark.security
@pytest.mark.parametrize("first", range(0, len(NAMES), AT_ONCE))
def test_without_a_flaw_the_tests_pass(
    engines_and_template: object, tree: Path, worker_number: int, first: int
) -> None:
    names = NAMES[first : first + AT_ONCE]

    outcome = run(tree, names, worker_number)

    assert outcome.tests >= len(names)
    assert (outcome.failures, outcome.errors) == ([], 0)


@pytest.mark.security
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_flaw_is_found(
    engines_and_template: object, tree: Path, worker_number: int, patch: Path
) -> None:
    assert_found(patch, tree, worker_number)

"""Planted flaws in migrations and in what must stay as it was, found by the data of the release."""

from pathlib import Path

import pytest

from tests.engines import ROOT
from tests.flaws import apply, assert_found, finders, title

PATCHES = sorted((Path(__file__).parent / "flaws").glob("*.patch"))
MINIMUM = 5
FINDERS = "tests/migrations/test_old_data.py::"


def test_there_are_five_flaws_and_the_old_data_must_show_each() -> None:
    assert len({title(patch) for patch in PATCHES}) == len(PATCHES) >= MINIMUM
    for patch in PATCHES:
        named = finders(patch)
        assert named, patch.name
        assert all(one.startswith(FINDERS) for one in named), patch.name


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_still_applies_to_the_application(patch: Path) -> None:
    apply(patch, ROOT, "--check")


@pytest.mark.long
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_old_data_shows_a_planted_flaw(
    engines_and_template: object, tree: Path, worker_number: int, patch: Path
) -> None:
    assert_found(patch, tree, worker_number)

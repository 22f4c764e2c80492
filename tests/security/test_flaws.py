"""Planted flaws: each patch opens a hole in a copy of the application, and is found.

The negative control of everything else that is here: a guard whose loss no test notices is
not tested. The tests that a patch names must run and pass without it, and fail with it by
an assertion, not because the patched code does not even start.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.engines import DATA_DIR, ROOT

PATCHES = sorted((Path(__file__).parent / "flaws").glob("*.patch"))
COPIED = ("app", "alembic", "tests", "pyproject.toml")
CACHES = shutil.ignore_patterns("__pycache__", ".*")
MINIMUM = 10
RUN_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What a run of tests came to: their number, and why how many of them failed."""

    tests: int
    failures: list[str]
    errors: int


def title(patch: Path) -> str:
    return patch.read_text(encoding="utf-8").splitlines()[0]


def finders(patch: Path) -> list[str]:
    """Return the tests that a patch names, above its first hunk."""
    head = patch.read_text(encoding="utf-8").partition("\ndiff ")[0]
    return [line.strip() for line in head.partition("found by:\n")[2].splitlines() if line]


def apply(patch: Path, tree: Path, *options: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own patches
        ["git", "apply", "-p1", *options, str(patch)],  # noqa: S607 - wherever git is
        cwd=tree,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{patch.name} does not apply any more:\n{done.stderr}"


def run(tree: Path, tests: list[str], worker_number: int) -> Outcome:
    """Run tests of a tree in a process of their own, with Redis databases of their own."""
    report = tree / "report.xml"
    kept = {name: v for name, v in os.environ.items() if not name.startswith(("QX_", "PYTEST"))}
    ours = {"QX_TEST_DATA_DIR": str(DATA_DIR), "PYTEST_XDIST_WORKER": f"gw{worker_number + 4}"}
    places = [f"--junitxml={report}", f"--basetemp={tree / 'tmp'}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", *places]
    done = subprocess.run(  # noqa: S603 - our own tests
        [*command, *tests],
        cwd=tree,
        env=kept | ours,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    suite = next(ET.parse(report).iter("testsuite"))  # noqa: S314 - written by pytest
    return Outcome(
        tests=int(suite.attrib["tests"]),
        failures=[one.attrib["message"] for one in suite.iter("failure")],
        errors=int(suite.attrib["errors"]),
    )


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Copy what the tests need; the installed package points elsewhere, the directory wins."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=CACHES)
        else:
            shutil.copy(source, tmp_path / name)
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_there_are_ten_flaws_and_each_has_a_title_and_its_tests() -> None:
    assert len({title(patch) for patch in PATCHES}) == len(PATCHES) >= MINIMUM
    for patch in PATCHES:
        assert finders(patch), patch.name


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_still_applies_to_the_application(patch: Path) -> None:
    apply(patch, ROOT, "--check")


@pytest.mark.security
def test_without_a_flaw_the_tests_pass(tree: Path, worker_number: int) -> None:
    names = sorted({name for patch in PATCHES for name in finders(patch)})

    outcome = run(tree, names, worker_number)

    assert outcome.tests >= len(names)
    assert (outcome.failures, outcome.errors) == ([], 0)


@pytest.mark.security
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_planted_flaw_is_found(
    engines_and_template: object, tree: Path, worker_number: int, patch: Path
) -> None:
    apply(patch, tree)

    outcome = run(tree, finders(patch), worker_number)

    print(f"\n{title(patch)}: {len(outcome.failures)} of {outcome.tests} tests fail")  # noqa: T201
    assert outcome.errors == 0
    assert len(outcome.failures) == outcome.tests >= len(finders(patch)), "not noticed"
    assert all("assert" in why.lower() for why in outcome.failures), outcome.failures

"""Planted flaws: a patch takes one guard out of a copy of the application, and tests find it.

A patch has a title, and below ``found by:`` the tests that must pass without it, and with it
fail by an assertion, not because the patched code does not even start.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.engines import DATA_DIR, ROOT

COPIED = (
    *("app", "alembic", "bench", "clients", "deploy", "docs", "tests"),
    *(".env.example", ".gitignore", "alembic.ini", "compose.yaml", "pyproject.toml"),
    *("requirements.lock", "requirements-production.lock"),
)
MADE = ("__pycache__", ".*", "node_modules", "generated", "dist", "miniprogram_dist")
CACHES = shutil.ignore_patterns(*MADE)
# Of a run: what starting it may take, and what each of its tests may take on a busy machine.
START_SECONDS, TEST_SECONDS = 240, 60
# What pytest says of a test that failed by what it asks, and not by an error on the way there.
OWN_FAILURES = ("assert", "did not raise")


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
    """Run tests of a tree in a process of their own, with Redis databases of their own.

    Long ones too: a named test that is deselected would find nothing.
    """
    report = tree / "report.xml"
    kept = {name: v for name, v in os.environ.items() if not name.startswith(("QX_", "PYTEST"))}
    ours = {"QX_TEST_DATA_DIR": str(DATA_DIR), "PYTEST_XDIST_WORKER": f"gw{worker_number + 4}"}
    places = [f"--junitxml={report}", f"--basetemp={tree / 'tmp'}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", "-m", "", *places]
    done = subprocess.run(  # noqa: S603 - our own tests
        [*command, *tests],
        cwd=tree,
        env=kept | ours,
        capture_output=True,
        text=True,
        timeout=START_SECONDS + TEST_SECONDS * len(tests),
        check=False,
    )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    suite = next(ET.parse(report).iter("testsuite"))  # noqa: S314 - written by pytest
    return Outcome(
        tests=int(suite.attrib["tests"]),
        failures=[one.attrib["message"] for one in suite.iter("failure")],
        errors=int(suite.attrib["errors"]),
    )


def copy_to(tree: Path) -> None:
    """Copy what the tests need; the installed package points elsewhere, the directory wins."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=CACHES)
        else:
            shutil.copy(source, tree / name)


def assert_found(patch: Path, tree: Path, worker_number: int, *options: str) -> list[str]:
    """Plant a flaw, and see every test fail that it names; return what they say."""
    apply(patch, tree)

    outcome = run(tree, [*options, *finders(patch)], worker_number)

    print(f"\n{title(patch)}: {len(outcome.failures)} of {outcome.tests} tests fail")  # noqa: T201
    assert outcome.errors == 0
    assert len(outcome.failures) == outcome.tests >= len(finders(patch)), "not noticed"
    assert all(any(one in why.lower() for one in OWN_FAILURES) for why in outcome.failures), (
        outcome.failures
    )
    return outcome.failures

"""No package with a known hole is locked or installed, and none of ours is written."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.locks import LOCKS, ROOT, declared, pins

FILE = Path(__file__).parent / "floors.txt"
Floors = dict[str, tuple[Requirement, str]]


def floors(text: str) -> Floors:
    """Read each floor, with the reason beside it."""
    found = {}
    for line in text.splitlines():
        wanted, _, reason = line.partition("#")
        if wanted.strip():
            requirement = Requirement(wanted)
            found[requirement.name] = (requirement, reason.strip())
    return found


def below(wanted: Floors, found: Mapping[str, Version]) -> list[str]:
    """Return what is below its floor, or required and not there."""
    wrong = []
    for name, (requirement, reason) in wanted.items():
        if name not in found:
            wrong += [f"{name} is missing"] if reason.startswith("required") else []
        elif found[name] not in requirement.specifier:
            wrong.append(f"{name} {found[name]}: {requirement}, {reason}")
    return wrong


FLOORS = floors(FILE.read_text(encoding="utf-8"))


def installed() -> dict[str, Version]:
    found = {}
    for name in FLOORS:
        try:
            found[name] = Version(version(name))
        except PackageNotFoundError:
            continue
    return found


def high(folder: Path) -> list[str]:
    """Return what bandit finds at high severity."""
    done = subprocess.run(  # noqa: S603 - bandit on our own files
        [sys.executable, "-m", "bandit", "-q", "-r", str(folder), "-lll", "-f", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["errors"] == []
    assert len(report["metrics"]) > 1, "nothing was read"
    return [f"{one['filename']}:{one['line_number']} {one['test_id']}" for one in report["results"]]


def test_every_floor_has_its_reason() -> None:
    assert len(FLOORS) >= 6
    for name, (requirement, reason) in FLOORS.items():
        assert [one.operator for one in requirement.specifier] == [">="], name
        assert len(reason) > 10, name


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_is_below_a_floor(lock: Path) -> None:
    assert below(FLOORS, pins(lock.read_text(encoding="utf-8"))) == []


def test_nothing_that_is_installed_is_below_a_floor() -> None:
    assert len(installed()) >= 5
    assert below(FLOORS, installed()) == []


def test_the_project_declares_every_floor_that_it_needs() -> None:
    for name, (requirement, reason) in FLOORS.items():
        if reason.startswith("required"):
            lowest = [one.version for one in declared()[name].specifier if one.operator == ">="]
            assert lowest, name
            assert lowest[0] in requirement.specifier, name


def test_a_version_below_its_floor_would_be_found() -> None:
    wanted = floors("# a comment\na>=1.2  # required: CVE-1\nb>=2  # only if it is there\n")

    assert below(wanted, {"a": Version("1.2"), "b": Version("2.0.1")}) == []
    assert below(wanted, {"a": Version("1.10")}) == []
    assert below(wanted, {"a": Version("1.1.9")}) == ["a 1.1.9: a>=1.2, required: CVE-1"]
    assert below(wanted, {"b": Version("1.9")}) == [
        "a is missing",
        "b 1.9: b>=2, only if it is there",
    ]


@pytest.mark.security
def test_bandit_finds_nothing_grave() -> None:
    assert high(ROOT / "app") == []


@pytest.mark.security
def test_what_is_grave_would_be_found(tmp_path: Path) -> None:
    flaw = "import hashlib, subprocess\nsubprocess.call(input(), shell=True)\n"
    (tmp_path / "flaw.py").write_text(f"{flaw}hashlib.md5(b'password')\n")

    assert [one.rsplit(":", 1)[1] for one in high(tmp_path)] == ["2 B602", "3 B324"]

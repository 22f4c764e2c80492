"""What we install: pinned, hashed, from wherever the installer's own settings say."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
# SAFETY-FACTS: below these are known holes.
FLOORS = {
    "starlette": "1.6.0",
    "fastapi": "0.165.0",
    "h11": "0.16.0",
    "python-jose": "3.5.0",
    "ecdsa": "0.19.2",
}
ADDRESS = re.compile(r"://|--(?:extra-)?index-url|--find-links|\bfile:|\s@\s|(?:^|\s)\.{0,2}/")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> dict[str, str]:
    """Each requirement with its options, by name; comments are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    return {line.split("==")[0].strip(): line for line in logical if line.strip()}


def unhashed(text: str) -> list[str]:
    return [
        name
        for name, line in requirements(text).items()
        if not HASH.search(line) or "==" not in line
    ]


def addresses(text: str) -> list[str]:
    return [line for line in requirements(text).values() if ADDRESS.search(line)]


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {one.name: one for one in map(Requirement, project["dependencies"])}


def pinned(name: str, text: str) -> Version:
    return Version(requirements(text)[name].split("==")[1].split()[0])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_its_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert len(requirements(text)) > 20
    assert unhashed(text) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_a_registry_or_a_path(lock: Path) -> None:
    assert addresses(lock.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_pin_is_below_its_floor(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    for name, floor in FLOORS.items():
        assert pinned(name, text.replace("[cryptography]", "")) >= Version(floor), name


def test_there_is_a_lock() -> None:
    assert ROOT / "requirements.lock" in LOCKS


def test_what_is_wrong_with_a_lock_would_be_found() -> None:
    sha = "--hash=sha256:" + "0" * 64
    assert unhashed(f"a==1 \\\n    {sha}\nb==1\nc>=1 {sha}\n") == ["b", "c>=1 " + sha]
    for line in (
        "--index-url https://pypi.example/simple",
        f"a @ https://host/a.whl {sha}",
        "--find-links wheels",
        "./local",
        "-e /somewhere/x",
        "a @ file:a.whl",
    ):
        assert addresses(line) == [line], line
    assert addresses(f"a==1 {sha}") == []


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_the_project_declares_the_floor(name: str, floor: str) -> None:
    lowest = [s for s in declared()[name].specifier if s.operator in {">=", "=="}]
    assert lowest
    assert Version(lowest[0].version) >= Version(floor)


def test_python_jose_brings_its_cryptography_backend() -> None:
    assert "cryptography" in declared()["python-jose"].extras


def test_what_reads_uploads_is_not_even_installed_or_new_enough() -> None:
    text = (ROOT / "requirements-production.lock").read_text(encoding="utf-8")
    if "python-multipart" in requirements(text):
        assert pinned("python-multipart", text) >= Version("0.0.31")


def test_nothing_that_design_8_avoids_is_locked() -> None:
    avoided = {"wechatpy", "slowapi", "fastapi-limiter", "passlib", "fakeredis", "aiosqlite"}
    assert not avoided & requirements((ROOT / "requirements.lock").read_text()).keys()

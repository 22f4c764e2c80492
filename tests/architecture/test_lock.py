"""Locked dependencies: pinned, hashed, without the address of a registry."""

import re
from pathlib import Path

import pytest

from tests.architecture.locks import LOCKS, ROOT, declared, requirements

ADDRESS = re.compile(r"://|--(?:extra-)?index-url|--find-links|\bfile:|\s@\s|(?:^|\s)\.{0,2}/")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def unhashed(text: str) -> list[str]:
    return [
        name
        for name, line in requirements(text).items()
        if not HASH.search(line) or "==" not in line
    ]


def addresses(text: str) -> list[str]:
    return [line for line in requirements(text).values() if ADDRESS.search(line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_its_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert len(requirements(text)) > 20
    assert unhashed(text) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_a_registry_or_a_path(lock: Path) -> None:
    assert addresses(lock.read_text(encoding="utf-8")) == []


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


def test_python_jose_brings_its_cryptography_backend() -> None:
    assert "cryptography" in declared()["python-jose"].extras


def test_nothing_that_design_8_avoids_is_locked() -> None:
    avoided = {"wechatpy", "slowapi", "fastapi-limiter", "passlib", "fakeredis", "aiosqlite"}
    assert not avoided & requirements((ROOT / "requirements.lock").read_text()).keys()

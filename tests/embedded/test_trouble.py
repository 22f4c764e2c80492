"""Engines that cannot be started now: tried again, or refused with the reason."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from app.embedded import lease
from app.embedded.databases import connect
from app.embedded.keeper import MAX_BACKOFF_SECONDS, Child, Keeper
from app.embedded.layout import EnginesFailed, Places, lives
from app.embedded.lease import engines
from tests.embedded.test_embedded import User, all_gone, family, home, join, until

__all__ = ["home", "join"]  # fixtures
# A number without an entry in any passwd database; in a namespace of its own anybody may have it.
NOBODY_KNOWS = ("unshare", "--user", "--map-user=54321", "--map-group=54321", "--")
FAILURES = (OSError(errno.ENOSPC, "No space left on device"), EnginesFailed("x"), RuntimeError("x"))


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.mark.long
def test_a_keeper_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: its log cannot be written, until there is room again."""
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(lease, "MAX_WATCH_SECONDS", 0.1)
    failures: list[str] = []
    monkeypatch.setattr(lease.logger, "error", lambda _, error: failures.append(str(error)))
    log = Places.of(tmp_path).log("keeper")
    with engines(tmp_path) as found:
        before = family(tmp_path)
        log.unlink()
        log.mkdir()
        before["keeper"].kill()
        all_gone(before)
        until(lambda: len(failures) > 3)
        assert not answers(found.redis_url)
        log.rmdir()
        until(lambda: answers(found.redis_url), 60)
    assert all("Is a directory" in one for one in failures)
    until(lambda: not lives(Places.of(tmp_path).keeper_lock), 60)


class Trouble:
    """What is done before a child is started: fails so many times."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = [*failures]

    def __call__(self) -> None:
        if self.failures:
            raise self.failures.pop()


def child(tmp_path: Path, before: Callable[[], None]) -> Child:
    command = ["/bin/sleep", "60"]
    return Child("sleeper", command, (), tmp_path / "sleeper.log", before)


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """A keeper of no engines, whose pauses are short."""
    monkeypatch.setattr("app.embedded.keeper.FIRST_BACKOFF_SECONDS", 0.0)
    places = Places.of(tmp_path)
    places.root.mkdir()
    found = Keeper(places)
    found.children = []
    return found


@pytest.mark.parametrize("failure", FAILURES, ids=["full disk", "a sentence", "a bug"])
def test_a_child_that_cannot_be_started_is_tried_again(
    keeper: Keeper, tmp_path: Path, failure: Exception
) -> None:
    sleeper = child(tmp_path, Trouble(*[failure] * 20))
    keeper.children = [sleeper]
    for _ in range(20):
        keeper._revive()
        assert sleeper.process is None
    keeper._revive()
    assert sleeper.process is not None
    sleeper.stop()


def test_a_child_is_still_tried_after_very_many_failures(keeper: Keeper, tmp_path: Path) -> None:
    """Half an hour of failures: 2 to the power of 1,024 is beyond a float."""
    sleeper = child(tmp_path, Trouble())
    sleeper.attempts = 100_000
    keeper.children = [sleeper]
    keeper._revive()
    assert sleeper.process is not None
    sleeper.stop()


def test_a_child_that_has_just_failed_waits(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.embedded.keeper.FIRST_BACKOFF_SECONDS", 60.0)
    monkeypatch.setattr("app.embedded.keeper.MAX_BACKOFF_SECONDS", 60.0)
    trouble = Trouble(*FAILURES)
    keeper.children = [child(tmp_path, trouble)]
    for _ in range(3):
        keeper._revive()
    assert len(trouble.failures) == len(FAILURES) - 1
    assert MAX_BACKOFF_SECONDS < 10, "a full disk may have room again soon"


@pytest.mark.long
async def test_a_user_without_a_name(tmp_path: Path, join: Callable[..., User]) -> None:
    """As container platforms assign them: a number without an entry in the passwd database."""
    user = join(tmp_path, NOBODY_KNOWS)
    owner = await connect(user.found().migration_database_url)
    assert await owner.fetchval("SELECT current_user") == "qx_owner"
    await owner.close()
    before = family(tmp_path)
    assert user.leave() == 0
    all_gone(before)


@pytest.mark.long
def test_a_user_without_a_name_or_a_namespace_is_told(
    tmp_path: Path, join: Callable[..., User]
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho not permitted >&2; exit 1\n")
    refusing.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    unshare = shutil.which("unshare")
    assert unshare is not None
    user = join(tmp_path / "data", (unshare, *NOBODY_KNOWS[1:]), {"PATH": path})
    user.process.communicate()
    log = Places.of(tmp_path / "data").log("keeper").read_text()
    assert "user 54321 has no entry in /etc/passwd" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("place", ["file/data", "/sys/qingxiang"])
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EnginesFailed, match="make QX_DATA_DIR a directory"),
        engines(tmp_path / place),
    ):
        pass

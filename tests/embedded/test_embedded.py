"""The private engines: who starts them, who stops them, and what no crash may break."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]
import psutil
import pytest
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.embedded import account
from app.embedded.databases import connect, create_database, drop_database
from app.embedded.layout import Engines, EnginesFailed, Places, lives
from app.embedded.lease import engines

PROJECT = Path(__file__).resolve().parents[2]
ROOT = os.geteuid() == 0
SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
from app.embedded.lease import engines
for _ in range(int(sys.argv[2])):
    with engines(Path(sys.argv[1])) as found:
        print(json.dumps(dataclasses.asdict(found)), flush=True)
        sys.stdin.readline()
"""


class User:
    """A process of its own that holds a lease until it is told to leave, or killed."""

    def __init__(
        self,
        data_dir: Path,
        prefix: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        rounds: int = 1,
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            [*prefix, sys.executable, "-c", SCRIPT, str(data_dir), str(rounds)],
            env={**os.environ, "PYTHONPATH": str(PROJECT), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def found(self) -> Engines:
        assert self.process.stdout
        return Engines(**json.loads(self.process.stdout.readline()))

    def leave(self) -> int:
        """End the round, or the process if it was the last."""
        self.process.communicate()
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def family(data_dir: Path) -> dict[str, psutil.Process]:
    """The keeper, both engines and PostgreSQL's backends, by name."""
    root = str(data_dir / "engines")
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if not any(word.startswith(root) for word in words) or "-c" in words[1:2]:
                continue
            for child in process.children():
                found.setdefault(str(child.pid), child)
            found["keeper" if "app.embedded" in words else Path(words[0]).name] = process
    return found


def all_gone(processes: dict[str, psutil.Process]) -> None:
    until(lambda: all(gone(process) for process in processes.values()))


async def count_of_notes(found: Engines) -> int:
    """Ask until PostgreSQL is back."""
    deadline = time.monotonic() + 15
    while True:
        try:
            owner = await connect(found.migration_database_url)
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline, "PostgreSQL did not come back"
            await asyncio.sleep(0.02)
            continue
        try:
            return int(await owner.fetchval("SELECT count(*) FROM notes"))
        finally:
            await owner.close()


async def write_note(found: Engines) -> None:
    owner = await connect(found.migration_database_url)
    await owner.execute("CREATE TABLE IF NOT EXISTS notes (id bigint)")
    await owner.execute("INSERT INTO notes VALUES (1)")
    await owner.close()


@pytest.fixture
def join() -> Iterator[Callable[..., User]]:
    """Start users; nobody outlives a failed test and keeps the engines from stopping."""
    users: list[User] = []

    def start(*args: Any, **kwargs: Any) -> User:
        users.append(User(*args, **kwargs))
        return users[-1]

    yield start
    for user in users:
        user.kill()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data directory for the tests that do not need a fresh one."""
    data_dir = tmp_path_factory.mktemp("home")
    yield data_dir
    until(lambda: not lives(Places.of(data_dir).keeper_lock))


async def test_they_answer_over_the_urls(home: Path) -> None:
    with engines(home) as found:
        for url, role in (
            (found.database_url, "qx_app"),
            (found.migration_database_url, "qx_owner"),
        ):
            engine = create_async_engine(url)
            async with engine.connect() as connection:
                row = (
                    await connection.execute(
                        text(
                            "SELECT current_user, current_database(), current_setting('fsync'),"
                            " current_setting('timezone'), current_setting('listen_addresses')"
                        )
                    )
                ).one()
            await engine.dispose()
            assert tuple(row) == (role, "qingxiang", "on", "UTC", "")
        with redis.Redis.from_url(found.redis_url) as client:
            assert client.ping()
            assert client.config_get("port") == {"port": "0"}


async def test_the_service_owns_nothing(home: Path) -> None:
    with engines(home) as found:
        service = await connect(found.database_url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("CREATE TABLE mine (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("CREATE SCHEMA mine")
        await service.close()


async def test_databases_for_tests_have_the_same_rights(home: Path) -> None:
    with engines(home) as found:
        await drop_database(found.admin_database_url, "copy")
        await drop_database(found.admin_database_url, "original")
        await create_database(found.admin_database_url, "original")
        original = await connect(found.migration_database_url, "original")
        await original.execute("CREATE TABLE kept (id int); GRANT SELECT ON kept TO qx_app")
        await original.close()
        await create_database(found.admin_database_url, "copy", template="original")
        copy = await connect(found.database_url, "copy")
        assert await copy.fetchval("SELECT count(*) FROM kept") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await copy.execute("CREATE TABLE mine (id int)")
        await drop_database(found.admin_database_url, "copy")
        await copy.close()
        with pytest.raises(ValueError, match="plain"):
            await create_database(found.admin_database_url, "x; DROP DATABASE qingxiang")


@pytest.mark.long
def test_two_share_one_keeper_and_the_last_stops_it(home: Path, join: Callable[..., User]) -> None:
    first, second = join(home), join(home)
    assert first.found() == second.found()
    before = family(home)
    assert {"keeper", "postgres", "valkey-server"} <= set(before)
    assert first.leave() == 0
    with engines(home):
        assert family(home)["keeper"] == before["keeper"]
    assert second.leave() == 0
    all_gone(before)
    assert not (home / "engines" / "engines.json").exists()


@pytest.mark.long
def test_a_killed_user_leaves_nothing_running(home: Path, join: Callable[..., User]) -> None:
    user = join(home)
    user.found()
    before = family(home)
    user.kill()
    all_gone(before)


@pytest.mark.long
def test_coming_and_going_at_once(home: Path, join: Callable[..., User]) -> None:
    """Stops and starts race; whoever has a lease always has engines."""
    users = [join(home, rounds=4) for _ in range(3)]
    for _ in range(4):
        for user in users:
            with redis.Redis.from_url(user.found().redis_url) as client:
                assert client.ping()
            assert user.process.stdin
            user.process.stdin.write("next\n")
            user.process.stdin.flush()
    assert [user.leave() for user in users] == [0, 0, 0]


@pytest.mark.long
async def test_a_killed_keeper_hinders_nobody(home: Path, join: Callable[..., User]) -> None:
    first = join(home)
    found = first.found()
    await write_note(found)
    before = family(home)
    before["keeper"].kill()
    # A killed process of several threads looks dead shortly before its locks are dropped.
    until(lambda: not lives(Places.of(home).keeper_lock))
    with engines(home) as again:
        assert again == found
        assert await count_of_notes(again) >= 1
        assert family(home)["keeper"] != before["keeper"]
        all_gone(before)
    first.leave()


@pytest.mark.long
async def test_a_killed_postgres_comes_back_with_its_data(home: Path) -> None:
    with engines(home) as found:
        await write_note(found)
        first = family(home)["postgres"]
        first.kill()
        all_gone({"postgres": first})
        assert await count_of_notes(found) >= 1
        assert family(home)["postgres"] != first


@pytest.mark.long
async def test_a_killed_valkey_comes_back(home: Path) -> None:
    with engines(home) as found:
        first = family(home)["valkey-server"]
        first.kill()
        all_gone({"valkey": first})

        def answers() -> bool:
            with redis.Redis.from_url(found.redis_url) as client, suppress(redis.RedisError):
                return bool(client.ping())
            return False

        until(answers)


@pytest.mark.parametrize("left", ["a pid that is now another program's", "nothing"])
@pytest.mark.long
async def test_a_pid_file_that_lies_is_not_believed(
    home: Path, left: str, join: Callable[..., User]
) -> None:
    with engines(home) as found:
        await write_note(found)
        before = family(home)
        file = home / "engines" / "postgres" / "postmaster.pid"
        lines = file.read_text().splitlines()
        socket_lock = Places.of(home).run / ".s.PGSQL.5432.lock"
        owner = file.stat()
    all_gone(before)
    socket_lock.parent.mkdir(mode=0o700, exist_ok=True)
    # Of the engines' own user: PostgreSQL ignores processes which it may not signal.
    user = owner.st_uid if ROOT else None
    with subprocess.Popen(["/bin/sleep", "60"], user=user) as other:  # noqa: ASYNC220
        for lie in (file, socket_lock):
            lie.write_text("\n".join([str(other.pid), *lines[1:]]) if left != "nothing" else "")
            os.chown(lie, owner.st_uid, owner.st_gid)
        try:
            with engines(home) as found:
                assert await count_of_notes(found) >= 1
        finally:
            other.kill()


@pytest.mark.parametrize("name", ["deep" * 40, "青享 data, with: signs"])
@pytest.mark.long
async def test_paths_that_no_socket_or_url_could_hold(tmp_path: Path, name: str) -> None:
    with engines(tmp_path / name) as found:
        owner = await connect(found.migration_database_url)
        await owner.close()
        engine = create_async_engine(found.database_url)
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar() == 1
        await engine.dispose()
        run = Places.of(tmp_path / name).run
        assert run.stat().st_mode & 0o777 == 0o700
    all_gone(family(tmp_path / name))


@pytest.mark.long
def test_engines_below_a_closed_directory_never_run_as_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with engines(closed / "data"):
        members = family(closed / "data")
        assert members["keeper"].uids().effective == os.geteuid()
        assert members["postgres"].uids().effective != 0
        assert members["valkey-server"].uids().effective != 0
        assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.long
async def test_an_ordinary_user_without_death_signals(
    tmp_path: Path, join: Callable[..., User]
) -> None:
    """As on macOS: engines outlive a killed keeper, and the next one stops them."""
    prefix: tuple[str, ...] = ()
    if ROOT:
        os.chown(tmp_path, 65534, 65534)
        change = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        prefix = (*change, *account.PASSING_CLOSED_DIRECTORIES)
    nowhere = {"PATH": "/nonexistent", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    wrapped = (*prefix, "env", *(f"{key}={value}" for key, value in nowhere.items()))
    first = join(tmp_path, wrapped)
    await write_note(first.found())
    before = family(tmp_path)
    before["keeper"].kill()
    until(lambda: not lives(Places.of(tmp_path).keeper_lock))
    assert not gone(before["postgres"])
    assert not gone(before["valkey-server"])
    second = join(tmp_path, wrapped)
    assert await count_of_notes(second.found()) == 1
    all_gone(before)
    now = family(tmp_path)
    first.leave()
    second.leave()
    all_gone(now)


def test_a_failure_says_why(tmp_path: Path) -> None:
    run = Places.of(tmp_path).run
    run.parent.mkdir(parents=True, exist_ok=True)
    run.symlink_to("/tmp")  # noqa: S108 - somebody else's directory
    try:
        with pytest.raises(EnginesFailed, match="not a directory of ours"), engines(tmp_path):
            pass
    finally:
        run.unlink()


@pytest.mark.long
def test_orderly_stop_by_sigterm(home: Path) -> None:
    with engines(home):
        before = family(home)
        before["keeper"].send_signal(signal.SIGTERM)
        all_gone(before)
        until(lambda: not lives(Places.of(home).keeper_lock))
        with engines(home):
            assert family(home)["keeper"] != before["keeper"]

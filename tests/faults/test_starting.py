"""What keeps a process from starting is said in a sentence, and its exit code is 2."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.embedded.databases import connect
from app.embedded.lease import engines, wait_until_stopped
from tests.faults.server import Server, free_port, left_behind, run
from tests.faults.waiting import until

pytestmark = pytest.mark.long  # each starts processes
OTHER = "another-secret-with-more-than-32-bytes"
FUTURE = "20990101_future"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory on which the service has started before."""
    data_dir = tmp_path_factory.mktemp("home")
    assert run(data_dir, "leaderboards", "rebuild").returncode == 0
    yield data_dir
    wait_until_stopped(data_dir)


def assert_said(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_another_secret_over_a_database(home: Path, command: str) -> None:
    done = run(home, command, secret_key=OTHER, port=str(free_port()), log_level="error")
    assert_said(done, "made with another secret", "QX_SECRET_KEY_PREVIOUS")


def test_the_first_secret_is_still_the_databases(home: Path) -> None:
    """The negative control: nothing else is wrong with the directory."""
    assert run(home, "leaderboards", "rebuild").returncode == 0


@pytest.mark.parametrize(("command", "content"), [("serve", ""), ("migrate", "short")])
def test_a_secret_file_that_holds_none(tmp_path: Path, command: str, content: str) -> None:
    (tmp_path / "secret-key").write_text(content)
    done = run(tmp_path, command)
    assert_said(done, str(tmp_path / "secret-key"), f"({len(content)} bytes)", "remove the file")


@pytest.mark.parametrize(
    ("command", "settings"),
    [("serve", {}), ("migrate", {"secret_key": OTHER})],
    ids=["where the secret should be", "where the engines should be"],
)
def test_a_directory_that_cannot_be_written(
    tmp_path: Path, command: str, settings: dict[str, str]
) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "data", command, port=str(free_port()), **settings)
    assert_said(done, "Not a directory", "QX_DATA_DIR")


async def at(data_dir: Path, revision: str) -> str:
    """Let the database say that it is at a migration; return at which it was."""
    with engines(data_dir) as found:
        owner = await connect(found.migration_database_url)
        before = str(await owner.fetchval("SELECT version_num FROM alembic_version"))
        await owner.execute("UPDATE alembic_version SET version_num = $1", revision)
        await owner.close()
    return before


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_schema_of_a_newer_release(home: Path, command: str) -> None:
    newest = asyncio.run(at(home, FUTURE))
    try:
        assert_said(run(home, command, port=str(free_port())), FUTURE, "newer release")
    finally:
        asyncio.run(at(home, newest))
    assert run(home, "migrate").returncode == 0


@pytest.mark.long
def test_two_first_starts_on_one_directory(tmp_path: Path) -> None:
    """Both serve, and one database came of it."""
    servers: list[Server] = []
    log = tmp_path / "log"
    data_dir = tmp_path / "data"
    with log.open("ab") as out:
        try:
            servers += [Server(data_dir, free_port(), out) for _ in range(2)]
            for one in servers:
                until(one.ready, 120)
        finally:
            for one in servers:
                with suppress(ProcessLookupError):
                    one.interrupt()
            until(lambda: left_behind(data_dir) == [], 60)
    assert "Traceback" not in log.read_text()

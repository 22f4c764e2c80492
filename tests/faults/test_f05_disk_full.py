"""F5: the disk below PostgreSQL is full.

The engines live on a small file system in memory, which a file of ballast fills up. It
must be mounted, as root: a limit on the size of files would say EFBIG and SIGXFSZ, which
is not what a full disk says, and filling the machine's own disk would strike everybody.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import asyncpg
import pytest

from tests.faults.flaws import flawed
from tests.faults.load import Load
from tests.faults.measured import Measured
from tests.faults.server import left_behind
from tests.faults.stage import Stage, replied, stage
from tests.faults.waiting import until

pytestmark = pytest.mark.faults

DISK = "768m"
FULL_S = 8.0
NORMAL_S = 5.0
AFTER_S = 8.0
WRITES = 20_000
# Segments of WAL kept for later, so that only the tables cannot grow; 16 MB each.
SPARE_SEGMENTS = 16
MESSAGE = "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))"
CHECK_EVERY_S = 0.1


@pytest.fixture(scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("home")
    with mounted(folder / "engines"):
        async with stage(data_dir=folder) as found:
            yield found


async def test_the_tables_cannot_grow(one: Stage, measured: Measured) -> None:
    await spare_wal(one, SPARE_SEGMENTS)
    writes = one.load(await one.signups(WRITES), connections=32)
    reads = one.load(cycle(await one.reads(200)), connections=8)
    began, ended = await filled(one, [writes, reads])
    busy = [each for each in writes.between(began, ended) if each.status == 503]
    looked = {each.status for each in reads.between(began, ended)}
    after = normal_after([writes, reads], ended)
    measured("F5", "disk full: writes told 503", f"{len(busy):,}")
    measured("F5", "disk full: what reads were told", looked)
    measured("F5", "disk full: normal again after", f"{after:.1f} s")
    assert busy
    assert all(each.says_when for each in busy)
    assert looked == {200}
    assert set(writes.statuses) <= {200, 201, 503}, writes.statuses
    assert after <= NORMAL_S
    assert await one.ledger_differences() == []


async def test_not_even_the_log_can_grow(one: Stage, measured: Measured) -> None:
    """PostgreSQL then ends itself rather than lie; it is back when there is room."""
    await spare_wal(one, 2)
    writes = one.load(await one.signups(WRITES), connections=32)
    reads = one.load(cycle(await one.reads(200)), connections=8)
    began, ended = await filled(one, [writes, reads], use_up_wal)
    told = {each.status for load in (writes, reads) for each in load.between(began, ended)}
    after = normal_after([writes, reads], ended)
    measured("F5", "no room for WAL: what people were told", told)
    measured("F5", "no room for WAL: normal again after", f"{after:.1f} s")
    assert 503 in told
    assert told <= {200, 201, 503}
    assert after <= NORMAL_S
    assert await one.ledger_differences() == []


async def test_control_a_full_disk_that_is_not_known_is_a_failure(
    one: Stage, measured: Measured
) -> None:
    await spare_wal(one, SPARE_SEGMENTS)
    asks = await one.signups(WRITES)
    with flawed(one.service, "full_disk_unknown") as simple:
        load = Load(simple.port, asks, connections=32)
        await filled(one, [load])
    measured("F5", "control: told 500", load.statuses[500])
    assert load.statuses[500] > 0


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A small file system in memory."""
    folder.mkdir()
    words = ["-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode != 0:
        pytest.fail(f"F5 WAS NOT TRIED: mounting needs root ({done.stderr.strip()})")
    try:
        yield
    finally:
        until(lambda: left_behind(folder.parent) == [], 60)
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


async def filled(
    one: Stage,
    loads: Sequence[Load],
    then: Callable[[Stage], Awaitable[None]] | None = None,
) -> tuple[float, float]:
    """Run the loads and fill the disk meanwhile; return the moments of both turns."""
    async with asyncio.timeout(180), asyncio.TaskGroup() as group:
        for load in loads:
            group.create_task(load.run())
            await replied(load, 100)
        with ballast(one.data_dir / "engines" / "ballast") as fill:
            fill()
            began = time.monotonic()
            if then is not None:
                await then(one)
            while time.monotonic() < began + FULL_S:
                fill()
                await asyncio.sleep(CHECK_EVERY_S)
        ended = time.monotonic()
        await asyncio.sleep(AFTER_S)
        for load in loads:
            load.stopped = True
    return began, ended


@contextmanager
def ballast(file: Path) -> Iterator[Callable[[], None]]:
    """Give a function that takes what room is left; all of it is given back at the end."""
    with file.open("wb") as out:

        def fill() -> None:
            # Again when somebody else took a part of it first: PostgreSQL itself would fill
            # what is left with WAL, and that is not given back.
            while room := os.statvfs(out.fileno()).f_bavail:
                with suppress(OSError):
                    size = room * os.statvfs(out.fileno()).f_frsize
                    os.posix_fallocate(out.fileno(), out.seek(0, 2), size)

        try:
            yield fill
        finally:
            file.unlink()


async def spare_wal(one: Stage, segments: int) -> None:
    """Have so many segments of WAL in store, and not many more."""
    await one.admin(
        f"ALTER SYSTEM SET min_wal_size = '{16 * segments}MB'", "SELECT pg_reload_conf()"
    )
    await one.settled()
    for _ in range(segments):
        await one.admin(MESSAGE, "SELECT pg_switch_wal()")
    await one.admin("CHECKPOINT")


async def use_up_wal(one: Stage) -> None:
    """Write WAL until PostgreSQL can no more."""
    with suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
        while True:
            await one.admin(*[MESSAGE] * 100)


def normal_after(loads: Sequence[Load], ended: float) -> float:
    """Seconds from the moment when there was room to the last refusal."""
    bad = [a.ended for load in loads for a in load.attempts if a.status >= 300 or a.status <= 0]
    return max(0.0, max(bad, default=ended) - ended)

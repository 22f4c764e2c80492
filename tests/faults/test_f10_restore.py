"""F10: a base backup and the archived WAL bring back one chosen moment, and it verifies.

The server and its directory are gone before anything is restored.
"""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.core.settings import Settings
from app.embedded.layout import postgres_program
from app.jobs import seals
from app.runtime import Runtime, open_runtime
from tests.engines import SECRET
from tests.factories.clock import noon, travel
from tests.factories.ledger import give_points
from tests.faults.cluster import Cluster, clusters, migrated
from tests.faults.measured import Measured
from tests.faults.server import run
from tests.faults.valkey import NOWHERE
from tests.faults.waiting import eventually

pytestmark = pytest.mark.faults

GROUPS = ("before the backup", "before the target", "after the target", "at the end")
GROUP_SIZE = 20


@dataclass(frozen=True)
class Archived:
    """What is left of a lost server, and what was true at which moment.

    ``moments``: the server's clock after each group's last transfer and before the next's first.
    """

    folder: Path
    backup: Path
    archive: Path
    transfers: dict[str, set[str]]
    moments: dict[str, datetime]

    def until(self, group: str) -> set[str]:
        """Return the transfers up to and with a group."""
        last = GROUPS.index(group)
        return set().union(*(self.transfers[name] for name in GROUPS[: last + 1]))


@pytest_asyncio.fixture(scope="module")
async def archived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archived]:
    folder = tmp_path_factory.mktemp("f10")
    with clusters(folder, "lost", "backup") as (lost, backup):
        archive = folder / "archive"
        lost.account.private_directory(archive)
        lost.create()
        copy = f"test ! -f {archive}/%f && cp %p {archive}/%f"
        await lost.start(archive_mode="on", archive_command=copy)
        await migrated(lost)
        transfers, moments = {}, {}
        with travel(noon(), tick=True):
            async with open_runtime(settings_of(lost)) as runtime:
                for group in GROUPS:
                    # The first are of the day before yesterday, which is sealed: so are the seals.
                    ago = 2 if group == GROUPS[0] else 0
                    transfers[group] = await post_group(runtime, noon(ago))
                    assert await seals.seal(runtime) == ago
                    moments[group] = await lost.value("SELECT clock_timestamp()")
                    if group == GROUPS[0]:
                        backup.copy(lost, "--wal-method=none")
        verify = postgres_program("pg_verifybackup")
        backup.program(verify, "--no-parse-wal", backup.places.postgres)
        await everything_archived(lost)
        lost.kill()
        lost.clear()
        yield Archived(folder, backup.places.postgres, archive, transfers, moments)


def settings_of(cluster: Cluster) -> Settings:
    return Settings(
        data_dir=cluster.places.root,
        database_url=cluster.urls.database_url,
        redis_url=NOWHERE,
        secret_key=SecretStr(SECRET),
    )


async def post_group(runtime: Runtime, at: datetime) -> set[str]:
    """Post transfers, one transaction each, to a few people; return their ids."""
    people = [uuid4() for _ in range(4)]
    return {
        str(await give_points(runtime, people[number % 4], number + 1, at=at))
        for number in range(GROUP_SIZE)
    }


async def everything_archived(cluster: Cluster) -> None:
    """Close the WAL segment that is being written, and wait until it is in the archive."""
    last = await cluster.value("SELECT pg_walfile_name(pg_switch_wal())")

    async def arrived() -> bool:
        done = await cluster.value("SELECT last_archived_wal FROM pg_stat_archiver")
        return done is not None and done >= last

    await eventually(arrived)


@contextmanager
def restored_files(source: Archived, name: str) -> Iterator[Cluster]:
    """A cluster whose directory is the backup's, ready to recover from the archive."""
    with clusters(source.folder, name) as (copy,):
        copy.clear()
        copy.program("cp", "-a", f"{source.backup}/.", copy.places.postgres)
        copy.program("touch", copy.places.postgres / "recovery.signal")
        yield copy


async def recover(copy: Cluster, archive: Path, moment: datetime) -> float:
    """Start it until it has reached the moment and takes writes; return the seconds."""
    started = time.monotonic()
    await copy.start(
        restore_command=f"cp {archive}/%f %p",
        recovery_target_time=moment.isoformat(sep=" "),
        recovery_target_action="promote",
    )
    await eventually(copy.recovered)
    return time.monotonic() - started


async def transfers_of(cluster: Cluster) -> set[str]:
    return {str(row["id"]) for row in await cluster.fetch("SELECT id FROM ledger_transfers")}


def verified(cluster: Cluster) -> tuple[int, str]:
    """Run the command that an operator runs; return its exit status and what it said."""
    done = run(
        cluster.places.root,
        *("ledger", "verify"),
        database_url=cluster.urls.database_url,
        redis_url=NOWHERE,
    )
    return done.returncode, done.stdout


async def test_it_comes_back_as_it_was_at_the_moment_and_verifies(
    archived: Archived, measured: Measured
) -> None:
    target = "before the target"
    with restored_files(archived, "restored") as copy:
        seconds = await recover(copy, archived.archive, archived.moments[target])
        found, expected = await transfers_of(copy), archived.until(target)
        assert found == expected
        assert len(expected) == 2 * GROUP_SIZE
        status, said = verified(copy)
        assert (status, "The ledger verifies." in said) == (0, True), said
        async with open_runtime(settings_of(copy)) as runtime:
            await post_group(runtime, noon())  # and life goes on
        assert verified(copy)[0] == 0
    missing, later = len(expected - found), len(found - expected)
    measured(
        "F10",
        "transfers until the moment, missing, later ones",
        f"{len(found)}, {missing}, {later}",
    )
    measured("F10", "recovery from backup and archive", f"{seconds:.1f} s")


async def test_a_later_moment_shows_the_later_transfers(archived: Archived) -> None:
    """The control of the target: it decides what is there, and nothing else does."""
    with restored_files(archived, "later") as copy:
        await recover(copy, archived.archive, archived.moments["after the target"])
        found = await transfers_of(copy)
        assert found == archived.until("after the target")
        assert found > archived.until("before the target")
        assert verified(copy)[0] == 0


async def test_a_restored_copy_with_a_changed_balance_does_not_verify(archived: Archived) -> None:
    """The control of the verification."""
    with restored_files(archived, "tampered") as copy:
        await recover(copy, archived.archive, archived.moments["before the target"])
        account = await copy.value(
            "UPDATE ledger_accounts SET balance = balance + 1 WHERE id ="
            " (SELECT id FROM ledger_accounts WHERE purpose = 'available' LIMIT 1) RETURNING id"
        )
        status, said = verified(copy)
        assert status == 1, said
        assert re.search(rf"account\s+{account}\b", said), said


async def test_a_restored_copy_with_a_changed_reason_breaks_its_seal(archived: Archived) -> None:
    """Balances and numbers are right: only the seal of the day tells."""
    with restored_files(archived, "reworded") as copy:
        await recover(copy, archived.archive, archived.moments["before the target"])
        await copy.value(
            "UPDATE ledger_transfers SET reason = '别的' WHERE id = CAST($1 AS uuid) RETURNING id",
            min(archived.transfers["before the backup"]),
        )
        status, said = verified(copy)
        assert status == 1, said
        assert "seal of" in said


async def test_without_the_archive_nothing_pretends_to_be_restored(archived: Archived) -> None:
    """A base backup alone is no copy: its own WAL is part of the archive."""
    missing = pytest.raises(AssertionError, match="could not locate required checkpoint record")
    with restored_files(archived, "alone") as copy, missing:
        await recover(copy, Path("/nowhere"), archived.moments["before the target"])

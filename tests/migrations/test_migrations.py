"""The way up, the way down, and that the models say what the migrations did."""

import asyncio
import os
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from alembic import command
from app.embedded.databases import connect
from app.migrations import config_for, migrate
from app.services.health import newest_migration

ROOT = Path(__file__).resolve().parents[2]
SPY = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "spy", "{head}", None, None


def upgrade():
    op.execute("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock_timeout")


def downgrade():
    op.drop_table("seen")
"""
FAILING = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "failing", "{head}", None, None


def upgrade():
    op.execute("CREATE TABLE half ()")
    op.execute("SELECT 1 / 0")


def downgrade():
    pass
"""


async def tables(url: str) -> set[str]:
    connection = await connect(url)
    rows = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    await connection.close()
    return {row["table_name"] for row in rows} - {"alembic_version"}


async def run(work: object, config: Config, *arguments: str) -> None:
    """Alembic's commands bring an event loop of their own: they need a thread."""
    await asyncio.to_thread(work, config, *arguments)  # type: ignore[arg-type]


def config_with(url: str, folder: Path, source: str) -> Config:
    """Return a configuration with one more migration after the newest."""
    (folder / "next.py").write_text(source.format(head=newest_migration()))
    config = config_for(url)
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", f"{ROOT}/alembic/versions{os.pathsep}{folder}")
    return config


async def test_up_down_and_up_again(empty: str) -> None:
    await asyncio.to_thread(migrate, empty)
    first = await tables(empty)
    await run(command.downgrade, config_for(empty), "base")
    assert await tables(empty) == set()
    await asyncio.to_thread(migrate, empty)
    assert await tables(empty) == first
    assert {"ledger_transfers", "people", "outbox"} <= first


async def test_migrating_twice_changes_nothing(migrated: str) -> None:
    before = await tables(migrated)
    await asyncio.to_thread(migrate, migrated)
    assert len(before) > 20
    assert await tables(migrated) == before


async def test_models_and_migrations_say_the_same(empty: str, migrated: str) -> None:
    """In the copy, too, in which a drift would be found."""
    await asyncio.to_thread(migrate, empty)
    for url in (empty, migrated):
        await run(command.check, config_for(url))


@pytest.mark.parametrize(
    "drift",
    [
        "ALTER TABLE people ADD COLUMN nickname text",
        "ALTER TABLE people ALTER COLUMN display_name DROP NOT NULL",
        "DROP INDEX uq_signups_living",
        "ALTER TABLE ledger_transfers ALTER COLUMN xact DROP DEFAULT",
        "CREATE TABLE forgotten (id int)",
    ],
)
async def test_a_drift_would_be_found(migrated: str, drift: str) -> None:
    connection = await connect(migrated)
    await connection.execute(drift)
    await connection.close()
    with pytest.raises(CommandError, match="New upgrade operations"):
        await run(command.check, config_for(migrated))


async def test_a_migration_waits_five_seconds_for_a_lock_and_no_longer(
    migrated: str, tmp_path: Path
) -> None:
    await run(command.upgrade, config_with(migrated, tmp_path, SPY), "head")
    connection = await connect(migrated)
    assert await connection.fetchval("SELECT lock_timeout FROM seen") == "5s"
    await connection.close()


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    migrated: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="division by zero"):
        await run(command.upgrade, config_with(migrated, tmp_path, FAILING), "head")
    found = await tables(migrated)
    assert "half" not in found
    assert "people" in found, "each migration is a transaction of its own"


def test_there_is_one_newest_migration_and_every_one_goes_both_ways() -> None:
    scripts = ScriptDirectory.from_config(config_for("postgresql+asyncpg://"))
    assert len(scripts.get_heads()) == 1
    for script in scripts.walk_revisions():
        assert callable(script.module.upgrade)
        assert callable(script.module.downgrade)
        assert "raise NotImplementedError" not in Path(str(script.path)).read_text()
        assert Path(str(script.path)).name[:8].isdigit(), "dated slugs"


def test_a_percent_sign_in_a_password_survives() -> None:
    url = "postgresql+asyncpg://qx_owner:a%40b@db/qx"
    assert config_for(url).get_main_option("sqlalchemy.url") == url

"""The newest dump of a release: migrated to the present, and what was answered then."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory

from alembic import command
from app.migrations import config_for
from tests.migrations.dump import count_rows, load, read

DATA = Path(__file__).parent / "data"
ANSWERS = max(DATA.glob("*.json.gz"))
ROWS = ANSWERS.with_name(ANSWERS.name.replace(".json", ".sql"))
Json = dict[str, Any]
EVERY_COLUMN: Mapping[str, set[str]] = {}


@dataclass(frozen=True)
class Old:
    """``kept`` is what ``past`` wrote; ``before`` are the rows by table before migrating."""

    kept: Json = field(repr=False)
    before: dict[str, int]

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.kept["moment"])


def read_kept() -> Json:
    kept: Json = json.loads(gzip.decompress(ANSWERS.read_bytes()))
    return kept


async def migrated(url: str) -> Old:
    """Fill an empty database as the release left it, and bring it up to date."""
    kept = read_kept()
    await upgrade(url, kept["revision"])
    await load(url, ROWS)
    before = await count_rows(url)
    await upgrade(url, "head")
    return Old(kept, before)


async def upgrade(url: str, revision: str) -> None:
    """Alembic's commands bring an event loop of their own: they need a thread."""
    await asyncio.to_thread(command.upgrade, config_for(url), revision)


async def downgrade(url: str, revision: str) -> None:
    await asyncio.to_thread(command.downgrade, config_for(url), revision)


async def check(url: str) -> None:
    """Raise CommandError if the models do not say what the migrations made."""
    await asyncio.to_thread(command.check, config_for(url))


def migrations_since() -> list[str]:
    """Return the revisions after the release, oldest first."""
    script = ScriptDirectory.from_config(config_for(""))
    found = script.iterate_revisions("head", read_kept()["revision"])
    return [one.revision for one in found][::-1]


def contents(file: Path, without: Mapping[str, set[str]] = EVERY_COLUMN) -> dict[str, list[Json]]:
    """Return the rows of a dump by table in an order of their own, as values by column.

    ``without``: columns to leave out, by table.
    """
    found = {}
    for table in read(file):
        out = without.get(table.name, set())
        lines = [line.decode().rstrip("\n").split("\t") for line in table.rows]
        rows = [dict(zip(table.columns, line, strict=True)) for line in lines]
        kept = [{name: one for name, one in row.items() if name not in out} for row in rows]
        found[table.name] = sorted(kept, key=lambda row: sorted(row.items()))
    return found


def differences(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which two JSON values differ; places in a list have no number."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in {**then, **now}:
            inner = f"{path}.{name}".lstrip(".")
            if name in then and name in now:
                yield from differences(then[name], now[name], inner)
            else:
                yield inner
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for one, other in zip(then, now, strict=True):
            yield from differences(one, other, path)
    elif then != now or type(then) is not type(now):
        yield path

"""A superuser changes rows behind the service's back, and ``ledger verify`` tells which.

Each tampering is one transaction, without triggers, that is verified from inside and rolled back.
"""

import re
from collections.abc import AsyncIterator
from itertools import chain

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import make_url
from sqlmodel import SQLModel

from app.core.db import Database
from app.embedded.layout import Engines
from app.queries.ledger.checking import Check
from app.queries.ledger.probing import COMPARISONS, UNPROBED_CHECKS
from app.queries.ledger.standing import BESIDE_POINTS
from app.services.ledger import verification
from app.services.ledger.verification import Difference
from tests.conftest import ScratchFactory
from tests.engines import ROOT
from tests.security import nouns
from tests.security.tampering_world import Played, play
from tests.security.tamperings import TAMPERINGS
from tests.security.tamperings.tampering import (
    Tampering,
    Tamperings,
    Untold,
)
from tests.security.tamperings.uncompared import UNCOMPARED

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ALL = list(chain.from_iterable(TAMPERINGS.values()))
TOLD = [one for one in ALL if isinstance(one, Tampering)]
UNTOLD = [one for one in ALL if isinstance(one, Untold)]
OF, TOLD_OF = 60, 56  # so many of so many must be told


@pytest_asyncio.fixture(scope="module")
async def played(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[tuple[Played, Database]]:
    """The world, and its database as a superuser."""
    engines, _ = engines_and_template
    async with ScratchFactory(engines_and_template, worker_number)() as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            world = await play(api, app.state.runtime)
            name = make_url(app.state.runtime.settings.database_url).database
            url = make_url(engines.admin_database_url).set(database=name)
            database = Database(
                url.render_as_string(hide_password=False), pool_size=2, patient=True
            )
            yield world, database
            await database.close()


class Undone(Exception):
    """Rolls the transaction of a tampering back."""


async def differences(
    played: tuple[Played, Database], sql: str, *, with_seals: bool = False
) -> list[Difference]:
    """Return what verification tells after the statements, which are undone."""
    world, database = played
    found: list[Difference] = []
    try:
        async with database.transaction() as tx:
            await tx.fetch("SET LOCAL session_replication_role = replica", {})
            for statement in sql.format(**world.ids).split(";"):
                assert await tx.fetch(f"{statement} RETURNING 1", {}), "nothing was tampered with"
            report = await verification.verify(tx, published=world.seals if with_seals else None)
            found = report.differences
            raise Undone
    except Undone:
        return found


async def test_nothing_is_told_of_a_world_that_nobody_tampered_with(
    played: tuple[Played, Database],
) -> None:
    assert await differences(played, "UPDATE orgs SET name = name", with_seals=True) == []


@pytest.mark.parametrize("one", TOLD, ids=lambda one: one.sql[:100])
async def test_a_tampering_is_told_with_its_row(
    played: tuple[Played, Database], one: Tampering
) -> None:
    found = await differences(played, one.sql, with_seals=one.by_seal)
    told = [(other.check, other.subject) for other in found]
    row = one.row.format(**played[0].ids)
    assert any(check.startswith(one.told_by) and row in subject for check, subject in told), told


@pytest.mark.parametrize("one", [one for one in TOLD if one.by_seal], ids=lambda one: one.sql[:100])
async def test_without_a_seal_from_outside_newest_seals_vanish_untold(
    played: tuple[Played, Database], one: Tampering
) -> None:
    assert await differences(played, one.sql) == []


@pytest.mark.parametrize("check", COMPARISONS, ids=lambda check: check.name)
async def test_without_a_check_its_tampering_is_untold(
    played: tuple[Played, Database], monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    """Each comparison tells something that nothing else tells before the day is sealed."""
    monkeypatch.setattr(f"{verification.__name__}.FACTS", ())
    others = tuple(one for one in UNPROBED_CHECKS if one is not check)
    monkeypatch.setattr(f"{verification.__name__}.UNPROBED_CHECKS", others)
    told = [one for one in TOLD if check.name.startswith(one.told_by)]
    for one in told:
        if await differences(played, one.sql) == []:
            return
    raise AssertionError("each is told by another check, too")


@pytest.mark.parametrize("one", UNTOLD, ids=lambda one: one.sql[:100])
async def test_what_is_untold_is_still_untold(played: tuple[Played, Database], one: Untold) -> None:
    """Whoever makes a check tell it turns it into a tampering here and in the document."""
    assert await differences(played, one.sql, with_seals=True) == []


async def test_what_the_document_calls_uncompared_is_untold(
    played: tuple[Played, Database],
) -> None:
    assert await differences(played, ";".join(UNCOMPARED.values()), with_seals=True) == []
    assert [words for words in UNCOMPARED if words not in section(DOCUMENT)] == []


def beside_points() -> set[str]:
    """Return the tables on which no points depend: the large ones, and those of nouns."""
    return {*BESIDE_POINTS} | nouns.beside_points()


def tables_without(tamperings: Tamperings) -> set[str]:
    """Return the tables that bear points and have no tampering."""
    bearing = {table.name for table in SQLModel.metadata.sorted_tables} - beside_points()
    return bearing - {table for table, some in tamperings.items() if some}


def test_every_table_that_bears_points_has_a_tampering() -> None:
    assert tables_without(TAMPERINGS) == set()
    assert not TAMPERINGS.keys() & beside_points()
    assert TAMPERINGS.keys() | beside_points() == {*SQLModel.metadata.tables}


def test_a_table_without_a_tampering_would_be_found() -> None:
    some = {table: of for table, of in TAMPERINGS.items() if table != "charges"}
    assert tables_without(some) == {"charges"}
    assert tables_without(some | {"charges": ()}) == {"charges"}


def test_enough_is_told() -> None:
    assert len(TOLD) >= TOLD_OF
    assert len(ALL) >= OF
    assert (len(ALL) - len(UNTOLD)) * OF >= TOLD_OF * len(ALL)
    assert len({one.sql for one in ALL}) == len(ALL)


def section(document: str) -> str:
    """Return the part of the document about what verification does not tell."""
    return document.partition("\n## What verification does not tell\n")[2].partition("\n## ")[0]


def untold_in(document: str) -> set[tuple[str, str]]:
    """Return what is untold, and why, by the document."""
    return set(re.findall(r"^- \*\*(.+?)\*\*: (.+)\.$", section(document), re.MULTILINE))


def beside_in(document: str) -> set[str]:
    """Return the tables on which no points depend, by the document."""
    [line] = re.findall(r"^No points depend on (.+)$", section(document), re.MULTILINE)
    return set(re.findall(r"`(\w+)`", line))


def test_the_document_names_what_is_untold() -> None:
    assert untold_in(DOCUMENT) == {(one.what, one.reason) for one in UNTOLD}
    assert beside_in(DOCUMENT) == beside_points()


def test_another_document_would_be_found() -> None:
    one = UNTOLD[0]
    assert (one.what, one.reason) not in untold_in(DOCUMENT.replace(one.reason, "x"))
    assert "outbox" not in beside_in(DOCUMENT.replace("`outbox`", ""))

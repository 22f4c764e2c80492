"""The organisation tree: importing it, reading it, finding a node."""

import csv
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.orgs import Level, Org
from app.queries import orgs as queries
from app.queries import outbox
from app.queries.orgs import Division, OrgFilter
from app.schemas.orgs import OrgOut

COLUMNS = ["code", "name", "parent_code", "level"]
MAX_DIVISIONS = 1_000_000


class OrgNotFound(Refusal):
    code, status, title = "orgs.not_found", 404, "No such organisation"
    zh, en = "组织不存在", "There is no such organisation."


class DivisionsInvalid(Exception):
    """What is wrong with a division file, with its line."""


@dataclass(frozen=True)
class Imported:
    read: int
    inserted: int
    updated: int


async def get(tx: Session, org_id: UUID) -> Org:
    org = await queries.find(tx, org_id)
    if org is None:
        raise OrgNotFound
    return org


async def get_by_code(tx: Session, code: str) -> Org:
    org = await queries.find_by_code(tx, code)
    if org is None:
        raise OrgNotFound
    return org


async def browse(tx: Session, wanted: OrgFilter, asked: PageParams) -> Page[OrgOut]:
    """Return organisations by code."""
    return await keyset(
        asked,
        (str,),
        lambda after, limit: queries.page(tx, wanted, after[0] if after else None, limit),
        OrgOut.model_validate,
        lambda org: (org.code,),
    )


async def import_divisions(tx: Session, file: Path) -> Imported:
    """Load a division file (CSV: code, name, parent_code, level; parents before children).

    Importing the same file again changes nothing. Raises DivisionsInvalid.
    """
    rows = _read(file)
    outside = {parent for _, _, parent, _ in rows if parent} - {code for code, *_ in rows}
    known = await queries.paths(tx, sorted(outside))
    divisions: dict[str, Division] = {}
    for line, (code, name, parent, level) in enumerate(rows, start=2):
        if code in divisions:
            raise DivisionsInvalid(f"line {line}: code {code} appears twice")
        above = divisions[parent].path if parent in divisions else known.get(parent, "/")
        if parent and above == "/":
            raise DivisionsInvalid(f"line {line}: parent {parent} is neither above nor known")
        divisions[code] = Division(code, name, level, parent or None, f"{above}{code}/")
    inserted, updated = await queries.upsert(tx, list(divisions.values()))
    if updated:  # points count where their organisation is
        await outbox.put(tx, "leaderboards.rebuild", {"divisions": updated})
    return Imported(read=len(divisions), inserted=inserted, updated=updated)


def _read(file: Path) -> list[tuple[str, str, str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        if reader.fieldnames != COLUMNS:
            raise DivisionsInvalid(f"line 1: expected the columns {', '.join(COLUMNS)}")
        rows = []
        for line, row in enumerate(reader, start=2):
            code, name, parent, level = (row[column] or "" for column in COLUMNS)
            if not (code.isascii() and code.isdigit() and len(code) <= 20):
                raise DivisionsInvalid(f"line {line}: code {code!r} is not a division code")
            if not name or len(name) > 100 or level not in set(Level):
                raise DivisionsInvalid(f"line {line}: name or level is not valid")
            if line > MAX_DIVISIONS:
                raise DivisionsInvalid(f"more than {MAX_DIVISIONS} lines")
            rows.append((code, name, parent, level))
    return rows

"""Divisions (行政区划): loading the organisation tree from a file."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.db import Session
from app.core.normalize import composed, is_known, is_one_line, is_visible
from app.models.orgs import Level
from app.queries import divisions as queries
from app.queries import outbox
from app.queries.divisions import Division
from app.services import audit

COLUMNS = ["code", "name", "parent_code", "level"]
MAX_DIVISIONS = 1_000_000
Row = tuple[str, str, str, str]


class DivisionsInvalid(Exception):
    """The errors of a division file, with line numbers."""


@dataclass(frozen=True)
class Imported:
    read: int
    inserted: int
    updated: int


async def load(tx: Session, file: Path) -> Imported:
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
    if inserted or updated:
        await _write_audit(tx, rows, {"inserted": inserted, "updated": updated})
    if updated:  # leaderboards count points at the present place of an organisation
        await outbox.put(tx, "leaderboards.rebuild", {"divisions": updated})
    return Imported(read=len(divisions), inserted=inserted, updated=updated)


async def _write_audit(tx: Session, rows: Sequence[Row], facts: dict[str, int]) -> None:
    """Write an audit entry for each topmost organisation of the file, with the file's counts."""
    codes = {code for code, *_ in rows}
    top = [code for code, _, parent, _ in rows if parent not in codes]
    for org_id in await queries.ids(tx, top):
        await audit.write_about(tx, None, "imported", ("org", org_id), org_id, facts=facts)


def _read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        if reader.fieldnames != COLUMNS:
            raise DivisionsInvalid(f"line 1: expected the columns {', '.join(COLUMNS)}")
        rows = []
        for line, row in enumerate(reader, start=2):
            code, name, parent, level = (row[column] or "" for column in COLUMNS)
            if not (code.isascii() and code.isdigit() and len(code) <= 20):
                raise DivisionsInvalid(f"line {line}: code {code!r} is not a division code")
            is_name = is_one_line(name) and is_visible(name) and is_known(name)
            if not is_name or level not in set(Level):
                raise DivisionsInvalid(f"line {line}: name or level is not valid")
            if len(name := composed(name).strip()) > 100:
                raise DivisionsInvalid(f"line {line}: the name is too long")
            if line > MAX_DIVISIONS:
                raise DivisionsInvalid(f"more than {MAX_DIVISIONS} lines")
            rows.append((code, name, parent, level))
    return rows

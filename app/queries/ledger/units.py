"""SQL of units."""

from app.core.db import Session

_OPEN = """
INSERT INTO ledger_units (id, code, name_zh)
SELECT max(id) + 1, CAST(:code AS text), CAST(:name AS text) FROM ledger_units
ON CONFLICT (code) DO NOTHING
RETURNING id
"""

_UNITS = "SELECT code, id FROM ledger_units"
_NAME = "SELECT name_zh FROM ledger_units WHERE id = :unit"


async def open_unit(session: Session, code: str, name: str) -> bool:
    """Add a unit; False if there is one of that code."""
    return bool(await session.fetch(_OPEN, {"code": code, "name": name}))


async def units(session: Session) -> dict[str, int]:
    """Read the units by their codes."""
    return {row.code: row.id for row in await session.fetch(_UNITS, {})}


async def unit_name(session: Session, unit: int) -> str:
    """Read what a unit is called."""
    name: str = (await session.fetch(_NAME, {"unit": unit}))[0].name_zh
    return name

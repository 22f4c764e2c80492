"""Units: what is counted. A programme of another county counts in its own."""

import re

from app.core.db import Session
from app.core.errors import Refusal
from app.models.ledger import UNIT_OF_HOURS
from app.queries.ledger import units as queries
from app.services.ledger.types import MINUTES, POINTS

MAX_NAME = 40
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class UnitInvalid(Exception):
    """A code or a name that a unit cannot have."""


class UnitUnknown(Refusal):
    code, status, title = "ledger.unit_unknown", 404, "No such unit"
    zh, en = "没有这种积分", "There are no points of this name."


# Units are opened and never changed: each is asked for once a process.
_known: dict[str, int] = {"points": POINTS, UNIT_OF_HOURS: MINUTES}


async def find_unit(tx: Session, code: str) -> int | None:
    """Return a unit by its code."""
    if code not in _known:
        _known.update(await queries.units(tx))
    return _known.get(code)


async def unit_of(tx: Session, code: str) -> int:
    """Return a unit by its code. Raises UnitUnknown."""
    unit = await find_unit(tx, code)
    if unit is None:
        raise UnitUnknown
    return unit


async def open_unit(tx: Session, code: str, name: str) -> bool:
    """Open a unit; return False if it is open. Needs the rights of the schema's owner.

    Raises UnitInvalid.
    """
    if not _CODE.fullmatch(code):
        raise UnitInvalid(f"{code!r}: 单位代码只用小写字母、数字和下划线 / a-z, 0-9 and _ only")
    if not name.strip() or len(name) > MAX_NAME:
        raise UnitInvalid(f"{name!r}: 名称为 1 至 {MAX_NAME} 字 / 1 to {MAX_NAME} characters")
    return await queries.open_unit(tx, code, name.strip())

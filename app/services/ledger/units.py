"""Units of account. A programme of another county has its own unit."""

from app.core.db import Session
from app.core.errors import Refusal
from app.models.ledger import UNIT_OF_HOURS
from app.queries.ledger import units as queries
from app.services.ledger.types import MINUTES, POINTS


class UnitUnknown(Refusal):
    code, status, title = "ledger.unit_unknown", 404, "No such unit"
    zh, en = "没有这种积分", "There are no points of this name."


# Units are only added, never changed: each is read once in a process.
_known: dict[str, int] = {"points": POINTS, UNIT_OF_HOURS: MINUTES}


async def find_unit(tx: Session, code: str) -> int | None:
    """Return the id of a unit by its code, None if there is none."""
    if code not in _known:
        _known.update(await queries.units(tx))
    return _known.get(code)


async def unit_of(tx: Session, code: str) -> int:
    """Return the id of a unit by its code. Raises UnitUnknown."""
    unit = await find_unit(tx, code)
    if unit is None:
        raise UnitUnknown
    return unit

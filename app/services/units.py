"""Units of account over the API: listed for everybody, opened by who administers a root."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Busy, Refusal
from app.core.language import named
from app.core.paging import Page, PageParams, keyset
from app.models.ledger import Unit
from app.queries import roles as role_queries
from app.queries.ledger import units as queries
from app.schemas.units import UnitIn, UnitOut
from app.services import people
from app.services.policies import opening


class UnitExists(Refusal):
    code, status, title = "units.exists", 409, "Unit exists"
    zh, en = "该单位代码已开设", "There is a unit with this code."


async def browse(tx: Session, asked: PageParams) -> Page[UnitOut]:
    """Return units by code."""
    return await keyset(
        asked,
        (str,),
        lambda after, limit: queries.page(tx, after[0] if after else None, limit),
        _to_out,
        lambda unit: (unit.code,),
    )


async def open_unit(tx: Session, caller: UUID, body: UnitIn) -> UnitOut:
    """Open a unit. Raises Forbidden, UnitExists."""
    if not await role_queries.administers_a_root(tx, caller):
        raise people.Forbidden
    if body.code in await queries.units(tx):
        raise UnitExists
    if not await opening.open_unit(tx, body.code, body.name, body.name_en, by=caller):
        raise Busy(retry_after=1)  # another one was opened at the same moment
    return UnitOut(code=body.code, name=named(body.name, body.name_en))


def _to_out(unit: Unit) -> UnitOut:
    return UnitOut(code=unit.code, name=named(unit.name_zh, unit.name_en))

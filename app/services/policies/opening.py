"""Opening a unit of account for the points of another programme; a policy then names it."""

import re
from uuid import UUID

from app.core.db import Session
from app.queries.ledger import units as queries
from app.services import audit

MAX_NAME = 40
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class UnitInvalid(Exception):
    """An invalid code or name of a unit."""


async def open_unit(
    tx: Session, code: str, name: str, name_en: str | None = None, *, by: UUID | None = None
) -> bool:
    """Open a unit; return False if it exists. ``by`` None: the command line.

    The entry in the audit trail belongs to no organisation, for any may use the unit. Raises
    UnitInvalid.
    """
    if not _CODE.fullmatch(code):
        raise UnitInvalid(f"{code!r}: 单位代码只用小写字母、数字和下划线 / a-z, 0-9 and _ only")
    for one in (name, name_en):
        if one is not None and (not one.strip() or len(one) > MAX_NAME):
            raise UnitInvalid(f"{one!r}: 名称为 1 至 {MAX_NAME} 字 / 1 to {MAX_NAME} characters")
    name_en = name_en.strip() if name_en else None
    unit = await queries.open_unit(tx, code, name.strip(), name_en)
    if unit is None:
        return False
    facts: audit.Facts = {"unit": code, "name": name.strip()}
    await audit.write_about(tx, by, "created", ("unit", UUID(int=unit)), None, facts=facts)
    return True

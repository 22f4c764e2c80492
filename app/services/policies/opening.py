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


async def open_unit(tx: Session, code: str, name: str) -> bool:
    """Open a unit; return False if it exists. Needs the rights of the schema's owner.

    Only the command line does it: the actor of its entry in the audit trail is None. Raises
    UnitInvalid.
    """
    if not _CODE.fullmatch(code):
        raise UnitInvalid(f"{code!r}: 单位代码只用小写字母、数字和下划线 / a-z, 0-9 and _ only")
    if not name.strip() or len(name) > MAX_NAME:
        raise UnitInvalid(f"{name!r}: 名称为 1 至 {MAX_NAME} 字 / 1 to {MAX_NAME} characters")
    unit = await queries.open_unit(tx, code, name.strip())
    if unit is None:
        return False
    facts: audit.Facts = {"unit": code, "name": name.strip()}
    await audit.write_about(tx, None, "created", ("unit", UUID(int=unit)), None, facts=facts)
    return True

"""Units: what is counted. A programme of another county counts in its own."""

import re

from app.core.db import Session
from app.queries import ledger as queries

MAX_NAME = 40
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class UnitInvalid(Exception):
    """A code or a name that a unit cannot have."""


async def open_unit(tx: Session, code: str, name: str) -> bool:
    """Open a unit; return False if it is open. Needs the rights of the schema's owner.

    Raises UnitInvalid.
    """
    if not _CODE.fullmatch(code):
        raise UnitInvalid(f"{code!r}: 单位代码只用小写字母、数字和下划线 / a-z, 0-9 and _ only")
    if not name.strip() or len(name) > MAX_NAME:
        raise UnitInvalid(f"{name!r}: 名称为 1 至 {MAX_NAME} 字 / 1 to {MAX_NAME} characters")
    return await queries.open_unit(tx, code, name.strip())

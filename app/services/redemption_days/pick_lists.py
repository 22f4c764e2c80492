"""The pick list of a redemption day as an HTML page for A4 print, by shelf, without scripts."""

import io
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import IO
from uuid import UUID

from jinja2 import Environment, StrictUndefined

from app.core.clock import local_time
from app.core.db import Session
from app.models.redemptions import RedemptionStatus
from app.queries.redemption_days import lists
from app.schemas.redemption_days.reports import DayPickOut
from app.services import audit
from app.services.redemption_days import reading

MOST = 20_000  # lines of one page
_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_template = _environment.from_string(
    (files("app") / "data" / "pick_list.html").read_text(encoding="utf-8"),
    globals={"local": local_time},
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """An item and the orders that wait for it."""

    shelf: str
    reward: str
    pieces: int
    lines: list[DayPickOut]


async def page(tx: Session, caller: UUID, day_id: UUID) -> tuple[str, IO[bytes]]:
    """Return the title and the page of the orders that wait; the reading is on record.

    Raises RedemptionDayNotFound.
    """
    day = await reading.read_by_desk(tx, caller, day_id)
    waiting = RedemptionStatus.reserved
    rows = await lists.pick_list(tx, day_id, waiting, None, MOST)
    shelves = []
    for (_, shelf), found in groupby(rows, key=lambda row: (row[1].id, row[1].shelf)):
        group = list(found)
        lines = [reading.pick(*row) for row in group]
        pieces = sum(one.quantity for one in lines)
        shelves.append(Shelf(shelf, group[0][2].name, pieces, lines))
    facts: dict[str, str | int] = {"list": "orders", "rows": len(rows)}
    await audit.write(tx, caller, "viewed", day, facts=facts)
    html = _template.render(day=day, shelves=shelves)
    return day.title, io.BytesIO(html.encode())

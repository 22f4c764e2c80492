"""A settlement as an HTML page for A4 print: a single file without scripts and links."""

from importlib.resources import files
from uuid import UUID

from jinja2 import Environment, StrictUndefined

from app.core.clock import local_time
from app.core.db import Session
from app.models.settlements import LineKind, SettlementDisputeState
from app.queries import settlements as queries
from app.schemas.settlements import VALUES
from app.services.settlements import reading

MOST_LINES = 500  # about twenty pages; the spreadsheet has all
_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_template = _environment.from_string(
    (files("app") / "data" / "settlement.html").read_text(encoding="utf-8")
)


def yuan(cents: int) -> str:
    """Return an amount in yuan: ``¥1,234.50``, ``-¥0.05``."""
    sign = "-" if cents < 0 else ""
    return f"{sign}¥{abs(cents) // 100:,}.{abs(cents) % 100:02}"


async def page(tx: Session, caller: UUID, settlement_id: UUID) -> tuple[str, bytes]:
    """Return the title and the HTML of a settlement. Raises SettlementNotFound."""
    found = await reading.readable(tx, caller, settlement_id)
    one = await reading.shown(tx, found)
    span = await reading.span_of(tx, found)
    rows = await queries.lines(tx, span, None, MOST_LINES + 1) if span is not None else []
    html = _template.render(
        one=one,
        lines=await reading.lines_of(tx, rows[:MOST_LINES]),
        truncated=len(rows) > MOST_LINES,
        kinds=VALUES[LineKind],
        states=VALUES[SettlementDisputeState],
        yuan=yuan,
        local_time=local_time,
    )
    return f"{one.merchant_name}_{one.month}", html.encode()

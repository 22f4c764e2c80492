"""Totals of a person's entries: kept now and then, so that no call sums a whole passbook."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from app.core.clock import period_start
from app.core.db import Session
from app.queries.ledger import totals as queries
from app.queries.ledger.totals import Totals
from app.schemas.ledger import PeriodTotalsOut, TotalsOut
from app.services.ledger.plan import Plan
from app.services.ledger.types import MINUTES

KEPT_EVERY = 256  # entries of an account


async def keep(tx: Session, plan: Plan) -> None:
    """Write the totals of those accounts of a written plan that have so many more entries."""
    added = Counter(
        account for one in plan.transfers for account in (one.from_account_id, one.to_account_id)
    )
    due = [
        row
        for key, row in plan.accounts.items()
        if key.purpose in queries.COUNTED
        and row.last_number // KEPT_EVERY > (row.last_number - added[row.id]) // KEPT_EVERY
    ]
    if due:
        await queries.keep(tx, [row.id for row in due], [row.last_number for row in due])


async def read(tx: Session, person_id: UUID, unit: int, at: datetime) -> dict[int, PeriodTotalsOut]:
    """Return the totals of a unit and of the hours of service, by unit."""
    year, month = period_start(at, "year"), period_start(at, "month")
    found = await queries.before(tx, person_id, [unit, MINUTES], sorted({year, month}))

    def since(one: int, moment: datetime | None) -> TotalsOut:
        whole = found.get((one, None), Totals())
        part = whole - found.get((one, moment), Totals()) if moment else whole
        return TotalsOut.model_validate(part)

    return {
        one: PeriodTotalsOut(all=since(one, None), year=since(one, year), month=since(one, month))
        for one in (unit, MINUTES)
    }

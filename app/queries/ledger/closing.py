"""SQL of closed days: no transfer enters one, so that it can be sealed.

A trigger of ``ledger_transfers`` refuses what is older than the end of the last closed day
(see the migration ``20261129_clock``).
"""

from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, func
from sqlmodel import col, select

from app.core.clock import midnight
from app.core.db import Session
from app.models.seals import ClosedDay
from app.queries.ledger.checking import Check

_CLOSE = """
INSERT INTO ledger_closed_days (day) SELECT * FROM unnest(CAST(:days AS date[]))
ON CONFLICT DO NOTHING
"""

CLOSING_CHECKS = (
    Check(
        "closed days: no transfer enters one",
        """
        SELECT 'ledger_transfers' AS subject, 'trigger refuse_closed_days' AS expected,
               'none that is enabled' AS found
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgrelid = 'ledger_transfers'::regclass AND t.tgenabled IN ('O', 'A')
              AND t.tgname = 'refuse_closed_days' AND p.proname = 'refuse_closed_days')
        """,
    ),
    Check(
        "closed days: each sealed day is closed",
        """
        SELECT 'seal of ' || s.day AS subject, 'a closed day' AS expected, 'none' AS found
        FROM ledger_seals s LEFT JOIN ledger_closed_days c ON c.day = s.day WHERE c.day IS NULL
        """,
    ),
    Check(
        # A clock that is set back after a day was closed is behind its end for a while.
        "closed days: none is to come",
        """
        SELECT 'closed day ' || day AS subject, 'a day before ' || now() AS expected, day AS found
        FROM ledger_closed_days
        WHERE CAST(day AS timestamp) AT TIME ZONE 'Asia/Shanghai' > now()
        """,
    ),
)


async def read_clock(session: Session) -> tuple[datetime, datetime | None]:
    """Return PostgreSQL's clock and the end of the last closed day, if there is one."""
    last = select(func.max(col(ClosedDay.day))).scalar_subquery()
    server, day = (await session.exec(select(func.clock_timestamp(), last))).one()
    return server, midnight(day + timedelta(days=1)) if day else None


async def close_days(session: Session, days: list[date]) -> None:
    await session.fetch(_CLOSE, {"days": days})


async def next_transaction(session: Session) -> int:
    """Return a transaction id that is greater than that of every transaction so far."""
    query = select(func.pg_snapshot_xmax(func.pg_current_snapshot(), type_=BigInteger))
    return (await session.exec(query)).one()


async def all_are_over_before(session: Session, transaction_id: int) -> bool:
    """Tell whether no writing transaction with a smaller id runs any more."""
    query = select(func.pg_snapshot_xmin(func.pg_current_snapshot(), type_=BigInteger))
    return (await session.exec(query)).one() >= transaction_id

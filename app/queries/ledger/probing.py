"""Probes: cheap queries that tell whether there is any difference.

A probe stands for several checks and takes a tenth of their time. The checks are run only if the
probe finds a difference, and then list it (``app/services/ledger/verification.py``).
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.db import Session
from app.core.db_errors import sqlstate
from app.queries.ledger.attendance import ATTENDANCE_CHECKS
from app.queries.ledger.awarded import AWARD_CHECKS, PAID_CHECKS
from app.queries.ledger.checking import ACCOUNT_CHECKS, ENTRY_CHECKS, LOT_CHECKS, Check
from app.queries.ledger.checksums import BROKEN_CHAINS, DIFFERENT_TOTALS
from app.queries.ledger.closing import CLOSING_CHECKS
from app.queries.ledger.decided import DECISION_CHECKS
from app.queries.ledger.exchanged import EXCHANGE_CHECKS
from app.queries.ledger.facts import FACT_CHECKS, TRANSFER_CHECKS
from app.queries.ledger.goods import GOODS_CHECKS
from app.queries.ledger.holds import HOLD_CHECKS
from app.queries.ledger.linked import LINKED_PLACE_CHECKS
from app.queries.ledger.merged import MERGE_CHECKS
from app.queries.ledger.months import MONTH_CHECKS
from app.queries.ledger.redactions import REDACTION_CHECKS
from app.queries.ledger.schema import SCHEMA_CHECKS
from app.queries.ledger.settled import SETTLEMENT_CHECKS
from app.queries.ledger.standing import STANDING_CHECKS
from app.queries.ledger.trail import TRAIL_CHECKS
from app.queries.ledger.visited import QUEST_CHECKS

NUMERIC_VALUE_OUT_OF_RANGE = "22003"


@dataclass(frozen=True)
class Probe:
    """``sql`` returns a row if there is a difference that one of ``checks`` lists."""

    name: str
    sql: str
    checks: tuple[Check, ...]


PROBES = (
    Probe("accounts: balances and numbers of all transfers", BROKEN_CHAINS, ENTRY_CHECKS),
    Probe(
        "lots: what transfers moved into and out of them",
        DIFFERENT_TOTALS,
        (*TRANSFER_CHECKS, *PAID_CHECKS, *LOT_CHECKS),
    ),
)
# Checks without a probe: they are cheap, or compare charges, awards and so on row by row.
COMPARISONS = (
    *ATTENDANCE_CHECKS,
    *GOODS_CHECKS,
    *MONTH_CHECKS,
    *DECISION_CHECKS,
    *TRAIL_CHECKS,
    *STANDING_CHECKS,
    *REDACTION_CHECKS,
    *MERGE_CHECKS,
    *QUEST_CHECKS,
    *LINKED_PLACE_CHECKS,
    *SETTLEMENT_CHECKS,
    *EXCHANGE_CHECKS,
)
UNPROBED_CHECKS = (
    *FACT_CHECKS,
    *AWARD_CHECKS,
    *ACCOUNT_CHECKS,
    *HOLD_CHECKS,
    *CLOSING_CHECKS,
    *SCHEMA_CHECKS,
    *COMPARISONS,
)


async def share_snapshot(source: Session, target: Session) -> None:
    """Give the transaction of ``target`` the snapshot of ``source``.

    By PostgreSQL's synchronized snapshots: both must be REPEATABLE READ, ``source`` must stay open
    meanwhile, and ``target`` must not have run a query yet.
    """
    [snapshot] = await source.fetch("SELECT pg_export_snapshot() AS id", {})
    await target.fetch(f"SET TRANSACTION SNAPSHOT '{snapshot.id}'", {})


async def tune(session: Session, *, parallel: bool) -> None:
    """Configure PostgreSQL's planner for the few large statements of this transaction.

    Sorts and hash tables fit in memory, JIT is off, and the statement that checks a sealed day is
    planned once for all days. ``parallel``: a statement may use several processes. That is off with
    two connections at work: no core is left, and each process would repeat the grouping.
    """
    await session.execute(text("SET LOCAL work_mem = '256MB'"))
    await session.execute(text("SET LOCAL jit = off"))
    await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    if not parallel:
        await session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))


async def finds_difference(session: Session, probe: Probe) -> bool:
    """Run a probe.

    An amount that no service wrote may overflow the arithmetic of the probe, which counts as a
    difference; the savepoint keeps the transaction usable for the checks.
    """
    try:
        async with session.begin_nested():
            return (await session.execute(text(probe.sql))).first() is not None
    except DBAPIError as error:
        if sqlstate(error) != NUMERIC_VALUE_OUT_OF_RANGE:
            raise
        return True

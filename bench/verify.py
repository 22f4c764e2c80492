"""How fast the ledger is verified: `python -m bench.verify`.

The transfers of ``bench.ledger``'s long past, a year of them, with the awards that they are of,
once as they are and once with every one of them in a sealed day. As `qingxiang ledger verify`
does it, on two connections.
"""

import asyncio
import sys
import time
from argparse import ArgumentParser

from rich.console import Console
from rich.table import Table

from app.core.clock import now
from app.core.db import Database
from app.embedded import databases
from app.embedded.layout import Engines
from app.queries.ledger import sealing
from app.queries.ledger.sealing import Sealed
from app.services.ledger import seals, verification
from bench.ledger import add_history, empty_ledger
from bench.scratch import scratch_engines

WANTED = 300_000
# What reading costs at least: one pass over each table of the past.
PLAIN = (
    "SELECT count(*), sum(amount), sum(from_balance) FROM ledger_transfers",
    "SELECT count(*), sum(amount), sum(remaining) FROM ledger_lots",
    "SELECT count(*), sum(amount) FROM ledger_lot_uses",
    "SELECT count(*), sum(balance) FROM ledger_accounts",
    "SELECT count(*), sum(points) FROM awards",
)
# The award behind each transfer of the past.
_AWARDS = """
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, reviews_needed, notice_days, state, reason, title, evidence,
    awarded_at)
SELECT t.id, t.reference, a.owner_id, t.org_id, t.unit_id, 'volunteer_hour', 1, t.amount,
       t.amount, 0, 0, 0, 'available', 'full', t.reason, '{}', t.created_at
FROM ledger_transfers t JOIN ledger_accounts a ON a.id = t.to_account_id
"""


async def add_awards(found: Engines, name: str) -> None:
    """As PostgreSQL's own superuser, past the checks of foreign keys."""
    connection = await databases.connect(found.admin_database_url, name)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_AWARDS)
        await connection.execute("VACUUM ANALYZE awards")
        await connection.execute("CHECKPOINT")  # so that none falls into a measurement
    finally:
        await connection.close()


async def verified(database: Database, since: Sealed | None = None) -> float:
    """Verify once; return the seconds."""
    kept = {since.day: since.seal} if since else {}
    started = time.perf_counter()
    async with database.snapshot() as tx, database.snapshot() as beside:
        report = await verification.verify(
            tx, beside=beside, published=kept, since=since.day if since else None
        )
    assert report.holds, report.differences[:3]
    return time.perf_counter() - started


async def counted(database: Database) -> float:
    """Count and sum the tables that a verification reads, one after the other; return seconds."""
    started = time.perf_counter()
    async with database.snapshot() as tx:
        for statement in PLAIN:
            await tx.fetch(statement, {})
    return time.perf_counter() - started


async def measure(url: str, rounds: int) -> dict[str, float]:
    database = Database(url, pool_size=4, patient=True)
    try:
        plainly = min([await counted(database) for _ in range(rounds)])
        unsealed = min([await verified(database) for _ in range(rounds)])
        async with database.transaction() as tx:
            days = await seals.days_to_seal(tx, now())
            await seals.close_days(tx, days)
            for day in days:
                await seals.seal_day(tx, day)
            week_ago = (await sealing.chain(tx))[-8]
        sealed = min([await verified(database) for _ in range(rounds)])
        routine = min([await verified(database, week_ago) for _ in range(rounds)])
    finally:
        await database.close()
    return {
        "plain count(*) and sum(…)": plainly,
        "nothing sealed": unsealed,
        "everything sealed, in full": sealed,
        "everything sealed, from the seal of a week ago": routine,
    }


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with scratch_engines() as (_, found), empty_ledger(found, "large") as url:
        asyncio.run(add_history(found, "large", options.history))
        asyncio.run(add_awards(found, "large"))
        seconds = asyncio.run(measure(url, options.rounds))
    table = Table("ledger", "s", "transfers/s", "wanted", "to the plain sums")
    plainly = next(iter(seconds.values()))
    for name, passed in seconds.items():
        rate = options.history / passed
        table.add_row(
            name, f"{passed:.2f}", f"{rate:,.0f}", f"{WANTED:,}", f"{passed / plainly:.1f}"
        )
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Monthly partitions of tables that only grow: made ahead, and dropped whole.

PostgreSQL drops nothing younger than its own functions allow, whatever is asked for here
(docs/decisions/0031).
"""

from datetime import datetime

import structlog

from app.core.db import Session
from app.queries import partitions as queries

log = structlog.get_logger(__name__)
AUDIT, OUTBOX = "audit_entries", "outbox"
AHEAD = 3  # months
# After the end of the month in which a message was written. Those that wait stay.
OUTBOX_KEPT_MONTHS = 1


async def make(tx: Session, parent: str) -> int:
    """Make the missing partitions of this month and the next ``AHEAD``; return how many."""
    made = await queries.make(tx, parent, AHEAD)
    if made:
        log.info("partitions_made", table=parent, partitions=made)
    return made


async def drop(tx: Session, parent: str, at: datetime, months: int) -> int:
    """Drop the oldest partition that ended ``months`` ago; return how many, 0 or 1.

    A dropped month of the audit trail leaves an entry there, written by the database.
    """
    dropped = await queries.drop(tx, parent, at, months)
    if dropped:
        log.info("partition_dropped", partition=dropped)
    return int(dropped is not None)

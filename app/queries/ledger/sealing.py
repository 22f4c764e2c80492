# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of seals: the leaves of a day, the tree above them, and the chain of days.

Each side of a transfer is a leaf: first all payers, then all payees, each in the order of the
transfers' ids. The neighbours of a leaf are thus other transfers, whose ids cannot be guessed, and
a proof reveals no balance of another person. A node is the hash of up to 64 nodes below it; four
levels hold a day of at most 16,777,216 leaves.
"""

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func

from app.core.clock import local_date
from app.core.db import Row, Session
from app.models.ledger import Transfer
from app.models.seals import Seal, SealNode, SealPublication

ARITY, LEVELS = 64, 4
GROUP = ARITY * 32  # bytes of the hashes under a node


# All columns of a transfer except its two sides. The reason, which may hold any character, is last.
_TRANSFER = (
    "concat_ws('|', '2', id, unit_id, amount, kind, created_at AT TIME ZONE 'UTC', reference,"
    " source_type, source_id, org_id, coalesce(CAST(closes_id AS text), '-'), reason)"
)
_OF_DAY = "created_at >= CAST(:since AS timestamptz) AND created_at < CAST(:until AS timestamptz)"


def _entry(direction: str, account: str) -> str:
    """Return SQL of the text of one side, from the view of the account's owner.

    It is short: with the hash before it, most leaves are one block of SHA-256.
    """
    return (
        f"concat_ws('|', '{direction}', {account}_account_id, {account}_number, {account}_balance)"
    )


def _leaf(direction: str, account: str) -> str:
    return f"sha256('\\x00' || transfer || textsend({_entry(direction, account)}))"


_PAID, _RECEIVED = _leaf("out", "from"), _leaf("in", "to")

# The common hash of both leaves is computed once: OFFSET 0 prevents a second computation.
_HASHED = f"""
(SELECT id, from_account_id, from_number, from_balance, to_account_id, to_number, to_balance,
        sha256(textsend({_TRANSFER})) AS transfer
 FROM ledger_transfers WHERE {_OF_DAY} OFFSET 0) t
"""
_LEAVES = f"""
    SELECT 0 AS side, id, {_PAID} AS node FROM {_HASHED}
    UNION ALL
    SELECT 1, id, {_RECEIVED} FROM {_HASHED}
"""


def _level(number: int) -> str:
    """Return SQL of the nodes of a level, made of the level below; each has its first leaf."""
    first = f"FILTER (WHERE n % {ARITY} = 0)"
    return f"""
level{number} AS MATERIALIZED (
    SELECT n / {ARITY} AS n, sha256('\\x01' || string_agg(node, ''::bytea ORDER BY n)) AS node,
           (array_agg(side) {first})[1] AS side, (array_agg(first_id) {first})[1] AS first_id,
           CAST(sum(leaves) AS bigint) AS leaves
    FROM level{number - 1} GROUP BY n / {ARITY}
)"""


# One pass over the day and one sort by id. The leaves are one byte string that the first level cuts
# into groups, which takes a third of what leaves as rows take.
_TREE = f"""
WITH day AS MATERIALIZED (
    SELECT count(*) AS transfers, array_agg(id ORDER BY id) AS ids,
           string_agg(paid, ''::bytea ORDER BY id)
               || string_agg(received, ''::bytea ORDER BY id) AS nodes
    FROM (SELECT id, {_PAID} AS paid, {_RECEIVED} AS received FROM {_HASHED}) leaves
), level1 AS MATERIALIZED (
    SELECT n, sha256('\\x01' || substring(nodes FROM CAST(n AS int) * {GROUP} + 1 FOR {GROUP}))
                  AS node,
           CAST(n * {ARITY} / transfers AS int) AS side,
           ids[n * {ARITY} % transfers + 1] AS first_id,
           least({ARITY}, 2 * transfers - n * {ARITY}) AS leaves
    FROM day, generate_series(0, (2 * transfers - 1) / {ARITY}) n WHERE transfers > 0
), {", ".join(_level(n) for n in range(2, LEVELS + 1))}
"""

_NODES = " UNION ALL ".join(
    f"SELECT {level} AS level, n, node, side, first_id, leaves FROM level{level}"
    for level in range(1, LEVELS + 1)
)

_SEAL = f"""
{_TREE}, nodes AS ({_NODES}), inserted AS (
    INSERT INTO ledger_seal_nodes (day, level, n, node, side, first_id)
    SELECT CAST(:day AS date), level, n, node, side, first_id FROM nodes
)
SELECT node, leaves FROM nodes WHERE level = {LEVELS}
"""

# The root, and the nodes that differ from the stored ones: missing, additional or changed.
_DIFFERENT = f"""
{_TREE}, nodes AS ({_NODES})
SELECT coalesce(n.level, k.level) AS level, coalesce(n.n, k.n) AS n, n.node,
       (n.node, n.side, n.first_id) IS DISTINCT FROM (k.node, k.side, k.first_id) AS differs
FROM nodes n
FULL JOIN (SELECT * FROM ledger_seal_nodes WHERE day = CAST(:day AS date)) k
  ON k.level = n.level AND k.n = n.n
WHERE (n.node, n.side, n.first_id) IS DISTINCT FROM (k.node, k.side, k.first_id)
   OR n.level = {LEVELS}
ORDER BY 1 DESC, 2 LIMIT 10
"""

_SEALED_ENTRY = f"""
SELECT * FROM (
    SELECT id, 0 AS side, created_at, {_TRANSFER} AS transfer, {_entry("out", "from")} AS entry
    FROM ledger_transfers WHERE from_account_id = :account AND from_number = :number
    UNION ALL
    SELECT id, 1, created_at, {_TRANSFER}, {_entry("in", "to")}
    FROM ledger_transfers WHERE to_account_id = :account AND to_number = :number
) e
"""

# Limited to the range between two groups, so that only the leaves of the group are hashed.
_GROUP_LEAVES = f"""
SELECT side, id, node FROM ({_LEAVES}) l
WHERE (side, id) >= (:side, CAST(:first AS uuid))
  AND (side, id) < (:next_side, CAST(:next AS uuid))
ORDER BY side, id
"""
_END = (2, UUID(int=0))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A day's seal: ``root`` of its tree, chained to the ``previous`` day's seal.

    From version 2 on also the number and the root of its ``facts``.
    """

    day: date
    leaves: int
    root: bytes
    previous: bytes
    seal: bytes
    version: int
    facts: int
    facts_root: bytes | None


_SEALS = select(*(col(getattr(Seal, one.name)) for one in fields(Sealed)))


async def lock_sealing(session: Session) -> None:
    """Wait for other sealing transactions, and block them until this transaction ends."""
    # An advisory lock: SELECT … FOR UPDATE needs the privilege UPDATE, which the role lacks here.
    key = func.hashtextextended("ledger_seals", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def seal_nodes(
    session: Session, day: date, since: datetime, until: datetime
) -> tuple[bytes, int] | None:
    """Write the tree of a day; return its root and number of leaves, None for an empty day."""
    rows = await session.fetch(_SEAL, {"day": day, "since": since, "until": until})
    return (bytes(rows[0].node), rows[0].leaves) if rows else None


async def insert_seal(session: Session, sealed: Sealed) -> bool:
    """Insert a day's seal; False if it exists."""
    query = insert(Seal).values(asdict(sealed)).on_conflict_do_nothing().returning(col(Seal.day))
    return (await session.execute(query)).first() is not None


async def chain(session: Session) -> list[Sealed]:
    """Read every seal, oldest first."""
    rows = await session.execute(_SEALS.order_by(col(Seal.day)))
    return [Sealed(**row) for row in rows.mappings()]


async def last_seal(session: Session) -> Sealed | None:
    newest = await seals(session, None, limit=1)
    return newest[0] if newest else None


async def seal_of(session: Session, day: date) -> Sealed | None:
    rows = await session.execute(_SEALS.where(col(Seal.day) == day))
    row = rows.mappings().first()
    return Sealed(**row) if row else None


async def seals(session: Session, before: date | None, limit: int) -> list[Sealed]:
    """Read seals, newest first."""
    query = _SEALS.order_by(col(Seal.day).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Seal.day) < before)
    return [Sealed(**row) for row in (await session.execute(query)).mappings()]


async def seal_after(session: Session, day: date) -> Sealed | None:
    """Read the first seal after a day."""
    query = _SEALS.where(col(Seal.day) > day).order_by(col(Seal.day)).limit(1)
    row = (await session.execute(query)).mappings().first()
    return Sealed(**row) if row else None


async def lock_publication(session: Session, channel: str) -> date | None:
    """Lock the row of a channel; return the last day that went through it."""
    new = insert(SealPublication).values(channel=channel).on_conflict_do_nothing()
    await session.execute(new)
    query = select(col(SealPublication.day)).where(col(SealPublication.channel) == channel)
    day: date | None = (await session.execute(query.with_for_update())).scalar_one()
    return day


async def note_publication(session: Session, channel: str, day: date) -> None:
    query = update(SealPublication).where(col(SealPublication.channel) == channel)
    await session.execute(query.values(day=day))


async def first_day(session: Session) -> date | None:
    """Return the Shanghai day of the first transfer."""
    first = (await session.execute(select(func.min(Transfer.created_at)))).scalar_one()
    return local_date(first) if first is not None else None


async def check_nodes(
    session: Session, day: date, since: datetime, until: datetime
) -> tuple[bytes | None, list[tuple[int, int]]]:
    """Recompute a day's tree.

    Return its root, None for an empty day, and (level, number) of the nodes that differ from the
    kept ones.
    """
    rows = await session.fetch(_DIFFERENT, {"day": day, "since": since, "until": until})
    root = next((bytes(row.node) for row in rows if row.level == LEVELS and row.node), None)
    return root, [(row.level, row.n) for row in rows if row.differs]


async def sealed_entry(session: Session, account: int, number: int) -> Row | None:
    """Read an entry with its sealed texts."""
    rows = await session.fetch(_SEALED_ENTRY, {"account": account, "number": number})
    return rows[0] if rows else None


async def leaves_around(
    session: Session, day: date, since: datetime, until: datetime, side: int, transfer: UUID
) -> tuple[int, list[tuple[int, UUID, bytes]]]:
    """Read the group of leaves that contains an entry; return its number and the leaves."""
    # The group begins with the leaf that the group's node names.
    first_leaf = tuple_(col(SealNode.side), col(SealNode.first_id))
    groups = select(col(SealNode.n), col(SealNode.side), col(SealNode.first_id)).where(
        col(SealNode.day) == day, col(SealNode.level) == 1
    )
    query = groups.where(first_leaf <= tuple_(side, transfer))
    query = query.order_by(col(SealNode.side).desc(), col(SealNode.first_id).desc()).limit(1)
    group = (await session.execute(query)).one()
    following = (await session.execute(groups.where(col(SealNode.n) == group.n + 1))).first()
    next_side, next_id = (following.side, following.first_id) if following else _END
    rows = await session.fetch(
        _GROUP_LEAVES,
        {
            "since": since,
            "until": until,
            "side": group.side,
            "first": group.first_id,
            "next_side": next_side,
            "next": next_id,
        },
    )
    return group.n, [(row.side, row.id, bytes(row.node)) for row in rows]


async def nodes_around(session: Session, day: date, level: int, n: int) -> list[bytes]:
    """Read the nodes of a level below one node of the next level."""
    query = (
        select(col(SealNode.node))
        .where(col(SealNode.day) == day, col(SealNode.level) == level)
        .where(col(SealNode.n).between(n * ARITY, n * ARITY + ARITY - 1))
        .order_by(col(SealNode.n))
    )
    return [bytes(node) for node in (await session.execute(query)).scalars()]

# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of seals: the leaves of a day, the tree above them, and the chain of days.

Every side of a transfer is a leaf, all payers first and then all payees, each in the order
of the transfers' ids: so the neighbours of a leaf are other transfers, whose ids nobody can
guess, and a proof tells nobody else's balance. A node is the hash of up to 64 nodes below
it, four levels make a day of at most 16,777,216 leaves.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.core.db import Row, Session

ARITY, LEVELS = 64, 4
GROUP = ARITY * 32  # bytes of the hashes under a node


# Every column of a transfer but its two sides. A reason may hold any sign, so it comes last.
_TRANSFER = (
    "concat_ws('|', '2', id, unit_id, amount, kind, created_at AT TIME ZONE 'UTC', reference,"
    " source_type, source_id, org_id, coalesce(CAST(closes_id AS text), '-'), reason)"
)
_OF_DAY = "created_at >= CAST(:since AS timestamptz) AND created_at < CAST(:until AS timestamptz)"


def _entry(direction: str, account: str) -> str:
    """Return SQL of the text of one side, as the account's owner sees it.

    It is short: with the hash before it most leaves are one block of SHA-256.
    """
    return (
        f"concat_ws('|', '{direction}', {account}_account_id, {account}_number, {account}_balance)"
    )


def _leaf(direction: str, account: str) -> str:
    return f"sha256('\\x00' || transfer || textsend({_entry(direction, account)}))"


_PAID, _RECEIVED = _leaf("out", "from"), _leaf("in", "to")

# The hash that both leaves begin with is made once: OFFSET 0 keeps it from being made twice.
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
    """Return SQL of the nodes of a level, made of the one below; each names its first leaf."""
    first = f"FILTER (WHERE n % {ARITY} = 0)"
    return f"""
level{number} AS MATERIALIZED (
    SELECT n / {ARITY} AS n, sha256('\\x01' || string_agg(node, ''::bytea ORDER BY n)) AS node,
           (array_agg(side) {first})[1] AS side, (array_agg(first_id) {first})[1] AS first_id,
           CAST(sum(leaves) AS bigint) AS leaves
    FROM level{number - 1} GROUP BY n / {ARITY}
)"""


# One pass over the day, one sort by id, and the leaves as one string of bytes of which the
# first level cuts its groups: a third of what rows of leaves take.
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

# The root, and what differs from the nodes that were kept: missing, new and changed ones.
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

# The service's role may not lock a row that it may not change: one that is made up is locked.
_LOCK_SEALING = "SELECT pg_advisory_xact_lock(hashtextextended('ledger_seals', 0))"

_INSERT = """
INSERT INTO ledger_seals (day, leaves, root, previous, seal)
VALUES (CAST(:day AS date), :leaves, :root, :previous, :seal)
ON CONFLICT DO NOTHING
RETURNING day
"""

_CHAIN = "SELECT day, leaves, root, previous, seal FROM ledger_seals ORDER BY day"
_LAST = "SELECT day, leaves, root, previous, seal FROM ledger_seals ORDER BY day DESC LIMIT 1"
_PAGE = """
SELECT day, leaves, root, previous, seal FROM ledger_seals
WHERE CAST(:before AS date) IS NULL OR day < CAST(:before AS date)
ORDER BY day DESC LIMIT :limit
"""
_OF = "SELECT day, leaves, root, previous, seal FROM ledger_seals WHERE day = CAST(:day AS date)"

_FIRST_DAY = """
SELECT CAST(min(created_at) AT TIME ZONE 'Asia/Shanghai' AS date) AS day FROM ledger_transfers
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

# The group of leaves that an entry is in begins with the leaf that its node names.
_GROUP = """
SELECT n, side, first_id FROM ledger_seal_nodes
WHERE day = CAST(:day AS date) AND level = 1 AND (side, first_id) <= (:side, CAST(:id AS uuid))
ORDER BY side DESC, first_id DESC LIMIT 1
"""

_NEXT_GROUP = """
SELECT side, first_id FROM ledger_seal_nodes
WHERE day = CAST(:day AS date) AND level = 1 AND n = :n + 1
"""

# Between two groups, so that no more leaves are hashed than are asked for.
_GROUP_LEAVES = f"""
SELECT side, id, node FROM ({_LEAVES}) l
WHERE (side, id) >= (:side, CAST(:first AS uuid))
  AND (side, id) < (:next_side, CAST(:next AS uuid))
ORDER BY side, id
"""
_END = (2, UUID(int=0))

_GROUP_NODES = f"""
SELECT n, node FROM ledger_seal_nodes
WHERE day = CAST(:day AS date) AND level = :level AND n / {ARITY} = :n
ORDER BY n
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A day's seal: ``root`` of its tree, chained to the ``previous`` day's seal."""

    day: date
    leaves: int
    root: bytes
    previous: bytes
    seal: bytes


async def lock_sealing(session: Session) -> None:
    """Wait until nobody else seals, and keep others waiting until this transaction ends."""
    await session.fetch(_LOCK_SEALING, {})


async def seal_nodes(
    session: Session, day: date, since: datetime, until: datetime
) -> tuple[bytes, int] | None:
    """Write the tree of a day; return its root and number of leaves, None for an empty day."""
    rows = await session.fetch(_SEAL, {"day": day, "since": since, "until": until})
    return (bytes(rows[0].node), rows[0].leaves) if rows else None


async def insert_seal(session: Session, sealed: Sealed) -> bool:
    """Write a day's seal; False if somebody else did."""
    return bool(
        await session.fetch(
            _INSERT,
            {
                "day": sealed.day,
                "leaves": sealed.leaves,
                "root": sealed.root,
                "previous": sealed.previous,
                "seal": sealed.seal,
            },
        )
    )


async def chain(session: Session) -> list[Sealed]:
    """Read every seal, oldest first."""
    return [Sealed(**row) for row in await session.fetch(_CHAIN, {})]


async def last_seal(session: Session) -> Sealed | None:
    rows = await session.fetch(_LAST, {})
    return Sealed(**rows[0]) if rows else None


async def seal_of(session: Session, day: date) -> Sealed | None:
    rows = await session.fetch(_OF, {"day": day})
    return Sealed(**rows[0]) if rows else None


async def seals(session: Session, before: date | None, limit: int) -> list[Sealed]:
    """Read seals, newest first."""
    rows = await session.fetch(_PAGE, {"before": before, "limit": limit})
    return [Sealed(**row) for row in rows]


async def first_day(session: Session) -> date | None:
    """Return the Shanghai day of the first transfer."""
    day: date | None = (await session.fetch(_FIRST_DAY, {}))[0].day
    return day


async def check_nodes(
    session: Session, day: date, since: datetime, until: datetime
) -> tuple[bytes | None, list[tuple[int, int]]]:
    """Compute a day's tree anew.

    Return its root, None for an empty day, and (level, number) of nodes that differ from the
    kept.
    """
    rows = await session.fetch(_DIFFERENT, {"day": day, "since": since, "until": until})
    root = next((bytes(row.node) for row in rows if row.level == LEVELS and row.node), None)
    return root, [(row.level, row.n) for row in rows if row.differs]


async def sealed_entry(session: Session, account: int, number: int) -> Row | None:
    """Read an entry with the texts that are sealed of it."""
    rows = await session.fetch(_SEALED_ENTRY, {"account": account, "number": number})
    return rows[0] if rows else None


async def leaves_around(
    session: Session, day: date, since: datetime, until: datetime, side: int, transfer: UUID
) -> tuple[int, list[tuple[int, UUID, bytes]]]:
    """Read the group of leaves that holds an entry; return its number and the leaves."""
    group = (await session.fetch(_GROUP, {"day": day, "side": side, "id": transfer}))[0]
    following = await session.fetch(_NEXT_GROUP, {"day": day, "n": group.n})
    next_side, next_id = (following[0].side, following[0].first_id) if following else _END
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
    """Read the nodes of a level under one node of the next."""
    rows = await session.fetch(_GROUP_NODES, {"day": day, "level": level, "n": n})
    return [bytes(row.node) for row in rows]

# ruff: noqa: S608 - every piece of SQL here is a constant of this file or of checking.py
"""SQL that tells cheaply whether all is well: fingerprints of the whole ledger.

A probe stands before several checks. It takes a tenth of their time, and if it finds that
something is wrong somewhere, they say what.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.db import Session
from app.core.db_errors import sqlstate
from app.queries.ledger.awarded import (
    AWARD_CHECKS,
    HOURS_COUNT,
    NEVER_TAKEN_BACK,
    PAID_CHECKS,
    WAITS,
)
from app.queries.ledger.checking import (
    ACCOUNT_CHECKS,
    ENTRIES,
    ENTRY_CHECKS,
    LOT_CHECKS,
    Check,
)
from app.queries.ledger.facts import FACT_CHECKS, FIRST_MOMENT, TRANSFER_CHECKS, WRONG_ACCOUNTS

NUMBER_OUT_OF_RANGE = "22003"

# Every entry says: before number n the balance was x, with it y. So the pairs (n, y) of an
# account, less its pairs (n - 1, x), are its last pair less (0, 0), if and only if the
# numbers run without a gap and each balance follows from the one before. Sets are compared
# by an XOR of hashes, in one pass and without sorting; count and sums stand beside it, for
# an XOR does not see what is there twice.
_ENTRIES_PROBE = f"""
SELECT coalesce(a.id, e.account_id) AS account_id
FROM ledger_accounts a
FULL JOIN (
    SELECT account_id, count(*) AS entries, sum(signed) AS total, min(number) AS first,
           max(number) AS last, min(balance) AS lowest,
           bit_xor(hashint8extended(number, balance)) # bit_xor(
               hashint8extended(number - 1, balance - signed)) AS pairs
    FROM ({ENTRIES}) x GROUP BY account_id
) e ON e.account_id = a.id
WHERE (a.last_number, a.balance) IS DISTINCT FROM (coalesce(e.entries, 0), coalesce(e.total, 0))
   OR e.first <> 1 OR e.last <> e.entries OR e.lowest < a.floor
   OR e.pairs <> hashint8extended(a.last_number, a.balance) # hashint8extended(0, 0)
LIMIT 1
"""


def _whose(points: str, award: str, person: str, org: str, unit: str) -> str:
    """Return SQL of points times a hash of whose award they are, and who gave it."""
    giver = f"uuid_hash_extended({org}, {unit})"
    return (
        f"{points} * (uuid_hash_extended({award}, uuid_hash_extended({person}, {giver}))"
        " & 2147483647)"
    )


_GIVEN = _whose("t.amount", "t.id", "q.owner_id", "t.org_id", "t.unit_id")
_AWARDED = _whose("points", "id", "person_id", "org_id", "unit_id")


def _times(amount: str, of: str) -> str:
    """Return SQL of an amount times a hash of what it is of."""
    return f"{amount} * (uuid_hash_extended({of}, 0) & 2147483647)"


# What transfers moved out of and into lots, what uses, lots and awards say of it, and what lots
# and accounts hold: each a sum of amounts times a hash of whose they are, so that nothing is
# grouped. Two sums of different amounts agree once in two thousand million times. Uses are
# summed without their sign once more: or a use could take from one lot what it gives another,
# and one of a lot that never was would count nowhere. What was given, what still waits and the
# hours that count are compared with the awards; one that was taken back while it waited for
# money has no transfer.
_LOTS_PROBE = f"""
WITH moved AS (
    SELECT coalesce(sum(
               CASE WHEN p.purpose = 'available' AND p.unit_id <> 2
                    THEN t.amount * (uuid_hash_extended(t.id, p.id) & 2147483647) ELSE 0 END
             - CASE WHEN q.purpose = 'available' AND q.unit_id <> 2
                    THEN t.amount * (uuid_hash_extended(t.id, q.id) & 2147483647) ELSE 0 END
           ), 0) AS points,
           coalesce(sum(
               t.amount * (uuid_hash_extended(t.id, 0) & 2147483647)
               * (CAST(p.purpose = 'available' AS int) + CAST(q.purpose = 'available' AS int))
           ) FILTER (WHERE t.unit_id <> 2), 0) AS both_ways,
           coalesce(sum({_GIVEN}) FILTER (
               WHERE t.kind = 'award' AND t.source_type = 'award' AND t.unit_id <> 2), 0) AS given,
           coalesce(sum(
               CASE WHEN t.unit_id = 2 AND t.source_type = 'award' THEN
                   CASE WHEN p.purpose = 'available' THEN -1 ELSE 1 END
                   * {_times("t.amount", "t.source_id")}
               ELSE 0 END), 0) AS hours,
           coalesce(sum(
               CASE WHEN q.purpose = 'pending' THEN {_times("t.amount", "t.id")} ELSE 0 END
             - CASE WHEN p.purpose = 'pending' THEN {_times("t.amount", "t.closes_id")} ELSE 0 END
           ), 0) AS waiting,
           count(*) FILTER (WHERE t.created_at < {FIRST_MOMENT} OR {WRONG_ACCOUNTS}) AS strays
    FROM ledger_transfers t
    LEFT JOIN ledger_accounts p ON p.id = t.from_account_id
    LEFT JOIN ledger_accounts q ON q.id = t.to_account_id
), used AS (
    SELECT coalesce(sum(
               u.amount * (uuid_hash_extended(u.transfer_id, l.account_id) & 2147483647)
           ), 0) AS points,
           coalesce(sum(
               abs(u.amount) * (uuid_hash_extended(u.transfer_id, 0) & 2147483647)
           ), 0) AS both_ways,
           coalesce(sum(u.amount * (uuid_hash_extended(u.lot_id, 0) & 2147483647)), 0) AS of_lots
    FROM ledger_lot_uses u LEFT JOIN ledger_lots l ON l.id = u.lot_id
), lots AS (
    SELECT coalesce(sum(
               amount * (uuid_hash_extended(transfer_id, account_id) & 2147483647)
           ), 0) AS points,
           coalesce(sum(amount * (uuid_hash_extended(transfer_id, 0) & 2147483647)), 0)
               AS both_ways,
           coalesce(sum(
               (amount - remaining) * (uuid_hash_extended(id, 0) & 2147483647)
           ), 0) AS of_lots,
           coalesce(sum(remaining * (hashint8extended(account_id, 0) & 2147483647)), 0) AS held
    FROM ledger_lots
), accounts AS (
    SELECT coalesce(sum(balance * (hashint8extended(id, 0) & 2147483647)) FILTER (
               WHERE purpose = 'available' AND unit_id <> 2), 0) AS held,
           count(*) FILTER (WHERE unit_id NOT IN (SELECT id FROM ledger_units)) AS strays
    FROM ledger_accounts
), awarded AS (
    SELECT coalesce(sum({_AWARDED}) FILTER (
               WHERE state IN ('available', 'notice', 'pending')
                  OR (state <> 'pending_budget'
                      AND (SELECT true FROM ledger_transfers t WHERE t.id = a.id))), 0) AS given,
           coalesce(sum({_times("minutes", "id")}) FILTER (WHERE {HOURS_COUNT}), 0) AS hours,
           coalesce(sum({_times("points", "id")}) FILTER (WHERE {WAITS}), 0) AS waiting,
           count(*) FILTER (WHERE {NEVER_TAKEN_BACK}) AS strays
    FROM awards a
)
SELECT 1 FROM moved, used, lots, accounts, awarded
WHERE moved.strays + accounts.strays + awarded.strays > 0
   OR moved.points <> used.points - lots.points
   OR moved.both_ways <> used.both_ways + lots.both_ways
   OR used.of_lots <> lots.of_lots OR lots.held <> accounts.held OR moved.given <> awarded.given
   OR moved.hours <> awarded.hours OR moved.waiting <> awarded.waiting
"""


@dataclass(frozen=True)
class Probe:
    """A cheap look at everything at once, and the checks that say what is wrong."""

    name: str
    sql: str
    checks: tuple[Check, ...]


# Cheap by themselves, or as many as there are facts.
CHECKS = (*FACT_CHECKS, *AWARD_CHECKS, *ACCOUNT_CHECKS)
PROBES = (
    Probe("accounts: balances and numbers of all transfers", _ENTRIES_PROBE, ENTRY_CHECKS),
    Probe(
        "lots: what transfers moved into and out of them",
        _LOTS_PROBE,
        (*TRANSFER_CHECKS, *PAID_CHECKS, *LOT_CHECKS),
    ),
)


async def make_room(session: Session, *, alone: bool) -> None:
    """Let the statements of this transaction sort and hash in memory, and plan them once.

    Beside another session no statement is spread over several processes: what each of them
    groups would have to be grouped once more.
    """
    await session.execute(text("SET LOCAL work_mem = '256MB'"))
    await session.execute(text("SET LOCAL jit = off"))
    await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    if not alone:
        await session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))


async def see_the_same(session: Session, other: Session) -> None:
    """Let a snapshot that has not looked yet see the moment of another one."""
    [moment] = await other.fetch("SELECT pg_export_snapshot() AS name", {})
    await session.fetch(f"SET TRANSACTION SNAPSHOT '{moment.name}'", {})


async def suspicious(session: Session, probe: Probe) -> bool:
    """Tell whether a probe finds that something is wrong somewhere.

    An amount that no service wrote may be too large to be multiplied: that is wrong too.
    """
    try:
        async with session.begin_nested():
            return bool((await session.execute(text(probe.sql))).first())
    except DBAPIError as error:
        if sqlstate(error) != NUMBER_OUT_OF_RANGE:
            raise
        return True

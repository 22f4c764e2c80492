# ruff: noqa: S608 - every piece of SQL here is a constant of this file or of its neighbours
"""SQL of the two probes: checksums that are equal in a consistent ledger.

Both read each table once, without a sort. They return a row if there is any difference, but not
where: the checks that ``probing`` lists for a probe find that.
"""

from app.queries.ledger.awarded import (
    MINUTES_COUNT,
    NOT_TAKEN_BACK,
    POINTS_PENDING,
    POINTS_POSTED,
)
from app.queries.ledger.checking import ENTRIES
from app.queries.ledger.facts import SEALED_FROM, WRONG_ACCOUNTS

# --- Are the entries of each account an unbroken chain? ---------------------------------------
#
# The state of an account is (number, balance): (0, 0) before its first entry, (last_number,
# balance) after its last. An entry leads from the state (number - 1, balance - signed) to the state
# (number, balance). In an unbroken chain each state between the first and the last occurs twice: as
# the end of an entry and as the beginning of the next. So the XOR of the hashes of all beginnings
# and ends equals that of the hashes of (0, 0) and of the last state.
#
# An entry that occurs twice cancels itself out in an XOR. Therefore count, sum, first and last
# number are compared too.
BROKEN_CHAINS = f"""
SELECT coalesce(a.id, e.account_id) AS account_id
FROM ledger_accounts a
FULL JOIN (
    SELECT account_id, count(*) AS entries, sum(signed) AS total, min(number) AS first,
           max(number) AS last, min(balance) AS lowest,
           bit_xor(hashint8extended(number, balance))
               # bit_xor(hashint8extended(number - 1, balance - signed)) AS states
    FROM ({ENTRIES}) x GROUP BY account_id
) e ON e.account_id = a.id
WHERE (a.last_number, a.balance) IS DISTINCT FROM (coalesce(e.entries, 0), coalesce(e.total, 0))
   OR e.first <> 1 OR e.last <> e.entries OR e.lowest < a.floor
   OR e.states <> hashint8extended(a.last_number, a.balance) # hashint8extended(0, 0)
LIMIT 1
"""

# --- Do transfers, lots, uses of lots, accounts and awards agree? ------------------------------
#
# Two tables of amounts by key are compared without a join: the sum of amount × hash(key) of one
# is that of the other if each key has the same total in both. If one differs, the sums are equal
# only by accident, once in 2^31. A hash is cut to 31 bits, so that its product with an amount
# below 2^32 fits into a bigint. A larger amount is out of range, which counts as a difference
# (``probing``).


def _checksum(amount: str, key: str, where: str = "true") -> str:
    """Return SQL of the sum of amount × hash over the rows that meet a condition."""
    return f"coalesce(sum({amount} * ({key} & 2147483647)) FILTER (WHERE {where}), 0)"


def _key(of: str, and_of: str = "0") -> str:
    """Return SQL of the hash of a UUID, optionally combined with an integer or another hash."""
    return f"uuid_hash_extended({of}, {and_of})"


def _account(number: str) -> str:
    return f"hashint8extended({number}, 0)"


def _award(award: str, person: str, org: str, unit: str) -> str:
    """Return SQL of the hash of an award's id, person, organisation and unit."""
    return _key(award, _key(person, _key(org, unit)))


def _has_lots(account: str) -> str:
    """Return SQL of the condition that an account has lots. Minutes (unit 2) have none."""
    return f"{account}.purpose = 'available' AND {account}.unit_id <> 2"


# Over all transfers t, from account p to account q.
_TRANSFERS = f"""
SELECT -- by transfer and account: points out of lots, less points into lots
       {_checksum("t.amount", _key("t.id", "p.id"), _has_lots("p"))}
           - {_checksum("t.amount", _key("t.id", "q.id"), _has_lots("q"))} AS spent,
       -- by transfer: points out of lots, plus points into lots
       {_checksum("t.amount", _key("t.id"), _has_lots("p"))}
           + {_checksum("t.amount", _key("t.id"), _has_lots("q"))} AS moved,
       -- by award: points given
       {
    _checksum(
        "t.amount",
        _award("t.id", "q.owner_id", "t.org_id", "t.unit_id"),
        "t.kind = 'award' AND t.source_type = 'award' AND t.unit_id <> 2",
    )
} AS given,
       -- by award: points that arrived as pending, less those that left
       {_checksum("t.amount", _key("t.id"), "q.purpose = 'pending'")}
           - {
    _checksum("t.amount", _key("coalesce(t.closes_id, t.source_id)"), "p.purpose = 'pending'")
} AS pending,
       -- by award: minutes given, less minutes taken back
       {
    _checksum(
        "t.amount",
        _key("t.source_id"),
        "t.unit_id = 2 AND t.source_type = 'award' AND p.purpose IS DISTINCT FROM 'available'",
    )
}
           - {
    _checksum(
        "t.amount",
        _key("t.source_id"),
        "t.unit_id = 2 AND t.source_type = 'award' AND p.purpose = 'available'",
    )
} AS minutes,
       count(*) FILTER (WHERE t.created_at < {SEALED_FROM} OR {WRONG_ACCOUNTS}) AS violations
FROM ledger_transfers t
LEFT JOIN ledger_accounts p ON p.id = t.from_account_id
LEFT JOIN ledger_accounts q ON q.id = t.to_account_id
"""

# A use takes points out of a lot (amount > 0) or gives them back (amount < 0).
_USES = f"""
SELECT -- by transfer and account of the lot
       {_checksum("u.amount", _key("u.transfer_id", "l.account_id"))} AS spent,
       -- by transfer, without the sign
       {_checksum("abs(u.amount)", _key("u.transfer_id"))} AS moved,
       -- by lot
       {_checksum("u.amount", _key("u.lot_id"))} AS used
FROM ledger_lot_uses u LEFT JOIN ledger_lots l ON l.id = u.lot_id
"""

_LOTS = f"""
SELECT -- by transfer and account: points of new lots
       {_checksum("amount", _key("transfer_id", "account_id"))} AS made,
       -- by transfer
       {_checksum("amount", _key("transfer_id"))} AS moved,
       -- by lot: points gone from it
       {_checksum("(amount - remaining)", _key("id"))} AS used,
       -- by account: points left in its lots
       {_checksum("remaining", _account("account_id"))} AS balance
FROM ledger_lots
"""

_ACCOUNTS = f"""
SELECT -- by account: its balance
       {_checksum("balance", _account("id"), _has_lots("a"))} AS balance,
       count(*) FILTER (WHERE unit_id NOT IN (SELECT id FROM ledger_units)) AS violations
FROM ledger_accounts a
"""

# Awards that wait for a budget have no transfer, nor have those rejected while they waited.
_GIVEN = """
state IN ('available', 'notice', 'pending')
OR (state <> 'pending_budget' AND (SELECT true FROM ledger_transfers t WHERE t.id = a.id))
"""
_AWARDS = f"""
SELECT -- by award: points given, points that are pending, minutes that count
       {_checksum(POINTS_POSTED, _award("id", "person_id", "org_id", "unit_id"), _GIVEN)} AS given,
       {_checksum("points", _key("id"), POINTS_PENDING)} AS pending,
       {_checksum("minutes", _key("id"), MINUTES_COUNT)} AS minutes,
       count(*) FILTER (WHERE {NOT_TAKEN_BACK}) AS violations
FROM awards a
"""

_EQUAL = (
    # Points that a transfer moved out of an account equal those it took from the account's lots.
    ("of_transfers.spent", "of_uses.spent - of_lots.made"),
    # The same without signs. Otherwise a use could take from one lot what it gives to another of
    # the same account, and a use of a lot that does not exist would not be counted.
    ("of_transfers.moved", "of_uses.moved + of_lots.moved"),
    # Points gone from a lot equal those its uses took.
    ("of_lots.used", "of_uses.used"),
    # Points left in the lots of an account equal its balance.
    ("of_lots.balance", "of_accounts.balance"),
    # Each award gave its points, by its organisation, to its person; pending points and counted
    # minutes are those of its state.
    ("of_transfers.given", "of_awards.given"),
    ("of_transfers.pending", "of_awards.pending"),
    ("of_transfers.minutes", "of_awards.minutes"),
)
_DIFFERENT = " OR ".join(f"{one} <> {other}" for one, other in _EQUAL)
DIFFERENT_TOTALS = f"""
WITH of_transfers AS ({_TRANSFERS}), of_uses AS ({_USES}), of_lots AS ({_LOTS}),
     of_accounts AS ({_ACCOUNTS}), of_awards AS ({_AWARDS})
SELECT 1 FROM of_transfers, of_uses, of_lots, of_accounts, of_awards
WHERE of_transfers.violations + of_accounts.violations + of_awards.violations > 0
   OR {_DIFFERENT}
"""

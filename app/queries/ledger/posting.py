"""SQL of posting: locks, reads under the locks, writes. Every statement takes lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlmodel import select

from app.core.db import Session, columns
from app.models.ledger import Account, Kind, Purpose, Transfer


@dataclass(slots=True)
class AccountRow:
    """A locked account; the planner updates ``balance`` and ``last_number``.

    ``holds_until`` is the value at the time of the lock.
    """

    id: int
    unit_id: int
    owner_id: UUID
    purpose: Purpose
    balance: int
    floor: int | None
    last_number: int
    holds_until: datetime | None = None


@dataclass(slots=True)
class LotRow:
    id: UUID
    account_id: int
    transfer_id: UUID
    amount: int
    remaining: int
    expires_at: datetime
    org_id: UUID
    origin_id: UUID | None = None

    @property
    def first_brought_by(self) -> UUID:
        """The transfer that first brought these points."""
        return self.origin_id or self.transfer_id


class TransferRow(NamedTuple):
    id: UUID
    unit_id: int
    from_account_id: int
    to_account_id: int
    amount: int
    from_number: int
    to_number: int
    from_balance: int
    to_balance: int
    kind: Kind
    reason: str
    reference: str
    source_type: str
    source_id: UUID
    org_id: UUID
    closes_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LotUseRow:
    transfer_id: UUID
    lot_id: UUID
    amount: int


# All required accounts or none: holding some while opening the others could deadlock with a
# transaction that opens the same accounts. An optional account is locked if it exists.
LOCK_ACCOUNTS = """
WITH wanted AS MATERIALIZED (
    SELECT a.id, k.needed
    FROM unnest(CAST(:owners AS uuid[]), CAST(:purposes AS text[]), CAST(:units AS int[]),
                CAST(:needed AS bool[])) AS k(owner_id, purpose, unit_id, needed)
    JOIN ledger_accounts a
      ON a.owner_id = k.owner_id AND a.purpose = k.purpose AND a.unit_id = k.unit_id
)
SELECT a.id, a.unit_id, a.owner_id, a.purpose, a.balance, a.floor, a.last_number, a.holds_until
FROM ledger_accounts a
WHERE a.id IN (SELECT id FROM wanted)
  AND (SELECT count(*) FROM wanted WHERE needed) = :number
ORDER BY a.id
FOR UPDATE OF a
"""

_OPEN_ACCOUNTS = """
INSERT INTO ledger_accounts (unit_id, owner_id, purpose, floor)
SELECT * FROM unnest(CAST(:units AS int[]), CAST(:owners AS uuid[]),
                     CAST(:purposes AS text[]), CAST(:floors AS bigint[]))
ON CONFLICT DO NOTHING
"""

_TRANSFER_COLUMNS = (
    "id, unit_id, from_account_id, to_account_id, amount, from_number, to_number, from_balance,"
    " to_balance, kind, reason, reference, source_type, source_id, org_id, closes_id, created_at"
)

_FIND_RELATED = f"""
SELECT {_TRANSFER_COLUMNS} FROM ledger_transfers WHERE reference = ANY(CAST(:references AS text[]))
UNION
SELECT {_TRANSFER_COLUMNS} FROM ledger_transfers WHERE closes_id = ANY(CAST(:closes AS uuid[]))
"""  # noqa: S608 - a constant list of columns

_SPENDABLE_LOTS = """
SELECT id, account_id, transfer_id, amount, remaining, expires_at, org_id, origin_id
FROM ledger_lots
WHERE account_id = ANY(CAST(:accounts AS bigint[])) AND remaining > 0
ORDER BY account_id, expires_at, id
"""

_USES_OF = """
SELECT u.transfer_id, u.lot_id, u.amount,
       l.account_id, l.transfer_id AS made_by, l.amount AS lot_amount, l.remaining,
       l.expires_at, l.org_id, l.origin_id
FROM ledger_lot_uses u JOIN ledger_lots l ON l.id = u.lot_id
WHERE u.transfer_id = ANY(CAST(:transfers AS uuid[]))
ORDER BY l.expires_at DESC, l.id
"""

_WRITE = """
WITH accounts AS (
    UPDATE ledger_accounts a SET balance = k.balance, last_number = k.last_number
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:balances AS bigint[]),
                CAST(:last_numbers AS bigint[])) AS k(id, balance, last_number)
    WHERE a.id = k.id
), lots_changed AS (
    UPDATE ledger_lots l SET remaining = k.remaining
    FROM unnest(CAST(:changed_lots AS uuid[]), CAST(:remaining AS bigint[])) AS k(id, remaining)
    WHERE l.id = k.id
), lots_made AS (
    INSERT INTO ledger_lots (id, account_id, transfer_id, amount, remaining, expires_at, org_id,
        origin_id)
    SELECT * FROM unnest(CAST(:lot_ids AS uuid[]), CAST(:lot_accounts AS bigint[]),
        CAST(:lot_transfers AS uuid[]), CAST(:lot_amounts AS bigint[]),
        CAST(:lot_remaining AS bigint[]), CAST(:lot_expiries AS timestamptz[]),
        CAST(:lot_orgs AS uuid[]), CAST(:lot_origins AS uuid[]))
), uses AS (
    INSERT INTO ledger_lot_uses (transfer_id, lot_id, amount)
    SELECT * FROM unnest(CAST(:use_transfers AS uuid[]), CAST(:use_lots AS uuid[]),
        CAST(:use_amounts AS bigint[]))
)
INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount,
    from_number, to_number, from_balance, to_balance, kind, reason, reference,
    source_type, source_id, org_id, closes_id, created_at)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:unit_id AS int[]),
    CAST(:from_account_id AS bigint[]), CAST(:to_account_id AS bigint[]), CAST(:amount AS bigint[]),
    CAST(:from_number AS bigint[]), CAST(:to_number AS bigint[]),
    CAST(:from_balance AS bigint[]), CAST(:to_balance AS bigint[]), CAST(:kind AS text[]),
    CAST(:reason AS text[]), CAST(:reference AS text[]), CAST(:source_type AS text[]),
    CAST(:source_id AS uuid[]), CAST(:org_id AS uuid[]), CAST(:closes_id AS uuid[]),
    CAST(:created_at AS timestamptz[]))
"""


async def lock_accounts(
    session: Session,
    keys: Sequence[tuple[UUID, str, int]],
    optional: Sequence[tuple[UUID, str, int]] = (),
) -> list[AccountRow]:
    """Lock accounts (owner, purpose, unit) in the order of their ids.

    Returns nothing, and locks nothing, if a required account does not exist.
    """
    needed = [True] * len(keys) + [False] * len(optional)
    rows = await session.fetch(
        LOCK_ACCOUNTS,
        _key_arrays([*keys, *optional]) | {"needed": needed, "number": len(keys)},
    )
    return [AccountRow(**row) for row in rows]


async def open_accounts(
    session: Session, keys: Sequence[tuple[UUID, str, int]], floors: Sequence[int | None]
) -> None:
    """Insert accounts that may not exist; sorted, so that concurrent inserts cannot deadlock."""
    ordered = sorted(zip(keys, floors, strict=True), key=lambda pair: pair[0])
    await session.fetch(
        _OPEN_ACCOUNTS,
        _key_arrays([key for key, _ in ordered]) | {"floors": [floor for _, floor in ordered]},
    )


async def find_related(
    session: Session, references: Sequence[str], closes: Sequence[UUID]
) -> list[TransferRow]:
    """Find transfers with one of the references, or that close one of the transfers."""
    rows = await session.fetch(
        _FIND_RELATED, {"references": list(references), "closes": list(closes)}
    )
    return [TransferRow(**row) for row in rows]


async def spendable_lots(session: Session, accounts: Sequence[int]) -> list[LotRow]:
    """Read the lots of locked accounts that have points left, soonest to expire first."""
    rows = await session.fetch(_SPENDABLE_LOTS, {"accounts": list(accounts)})
    return [LotRow(**row) for row in rows]


async def uses_of(session: Session, transfers: Sequence[UUID]) -> list[tuple[LotUseRow, LotRow]]:
    """Read which points transfers took from which lots, latest to expire first."""
    rows = await session.fetch(_USES_OF, {"transfers": list(transfers)})
    return [
        (
            LotUseRow(row.transfer_id, row.lot_id, row.amount),
            LotRow(
                row.lot_id,
                row.account_id,
                row.made_by,
                row.lot_amount,
                row.remaining,
                row.expires_at,
                row.org_id,
                row.origin_id,
            ),
        )
        for row in rows
    ]


async def write(
    session: Session,
    *,
    transfers: Sequence[TransferRow],
    accounts: Sequence[AccountRow],
    made: Sequence[LotRow],
    changed: Sequence[LotRow],
    uses: Sequence[LotUseRow],
) -> None:
    """Write a plan of one transfer or more in one statement."""
    await session.fetch(
        _WRITE,
        columns(transfers)
        | {
            "account_ids": [account.id for account in accounts],
            "balances": [account.balance for account in accounts],
            "last_numbers": [account.last_number for account in accounts],
            "changed_lots": [lot.id for lot in changed],
            "remaining": [lot.remaining for lot in changed],
            "lot_ids": [lot.id for lot in made],
            "lot_accounts": [lot.account_id for lot in made],
            "lot_transfers": [lot.transfer_id for lot in made],
            "lot_amounts": [lot.amount for lot in made],
            "lot_remaining": [lot.remaining for lot in made],
            "lot_expiries": [lot.expires_at for lot in made],
            "lot_orgs": [lot.org_id for lot in made],
            "lot_origins": [lot.origin_id for lot in made],
            "use_transfers": [use.transfer_id for use in uses],
            "use_lots": [use.lot_id for use in uses],
            "use_amounts": [use.amount for use in uses],
        },
    )


async def find_transfer(session: Session, transfer_id: UUID) -> TransferRow | None:
    found = (await session.exec(select(Transfer).where(Transfer.id == transfer_id))).first()
    if found is None:
        return None
    return TransferRow(**{name: getattr(found, name) for name in TransferRow._fields})


async def find_account(session: Session, account_id: int) -> tuple[UUID, str, int]:
    """Read owner, purpose and unit of an existing account."""
    query = select(Account.owner_id, Account.purpose, Account.unit_id)
    return (await session.exec(query.where(Account.id == account_id))).one()


async def account_id(session: Session, owner: UUID, purpose: str, unit: int) -> int | None:
    query = select(Account.id).filter_by(owner_id=owner, purpose=purpose, unit_id=unit)
    return (await session.exec(query)).first()


def _key_arrays(keys: Sequence[tuple[UUID, str, int]]) -> dict[str, list[Any]]:
    return {
        "owners": [owner for owner, _, _ in keys],
        "purposes": [purpose for _, purpose, _ in keys],
        "units": [unit for _, _, unit in keys],
    }

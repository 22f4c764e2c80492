"""SQL of the ledger. It never decides and never commits."""

from app.queries.ledger.checking import CHECKS, Check, count_rows, differences
from app.queries.ledger.expiry import (
    ExpiredLot,
    Expiring,
    announce,
    expired_lots,
    unannounced,
)
from app.queries.ledger.posting import (
    AccountRow,
    LotRow,
    LotUseRow,
    TransferRow,
    find_account,
    find_related,
    find_transfer,
    lock_accounts,
    open_accounts,
    spendable_lots,
    uses_of,
    write,
)
from app.queries.ledger.reading import PageRow, balances, expiring, passbooks, totals
from app.queries.ledger.units import open_unit, units

__all__ = [
    "CHECKS",
    "AccountRow",
    "Check",
    "ExpiredLot",
    "Expiring",
    "LotRow",
    "LotUseRow",
    "PageRow",
    "TransferRow",
    "announce",
    "balances",
    "count_rows",
    "differences",
    "expired_lots",
    "expiring",
    "find_account",
    "find_related",
    "find_transfer",
    "lock_accounts",
    "open_accounts",
    "open_unit",
    "passbooks",
    "spendable_lots",
    "totals",
    "unannounced",
    "units",
    "uses_of",
    "write",
]

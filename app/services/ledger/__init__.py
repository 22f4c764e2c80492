"""The ledger: transfers between accounts, planned in Python on locked rows, written in lists.

It knows no activity and no reward: callers pass a reason and a source reference.
``post`` moves, ``passbook`` reads, ``verify`` proves.
"""

from app.services.ledger.expiry import announce_expiry, expire_lots
from app.services.ledger.passbook import PageOf, page_of, pages, summary
from app.services.ledger.post import Locked, key_of, lock, post, spendable
from app.services.ledger.types import (
    MINUTES,
    POINTS,
    AccountKey,
    AlreadySettled,
    InsufficientPoints,
    Outcome,
    Posted,
    Posting,
    ReferenceReused,
)
from app.services.ledger.units import UnitInvalid, UnitUnknown, open_unit, unit_of
from app.services.ledger.verify import Difference, Report, verify

__all__ = [
    "MINUTES",
    "POINTS",
    "AccountKey",
    "AlreadySettled",
    "Difference",
    "InsufficientPoints",
    "Locked",
    "Outcome",
    "PageOf",
    "Posted",
    "Posting",
    "ReferenceReused",
    "Report",
    "UnitInvalid",
    "UnitUnknown",
    "announce_expiry",
    "expire_lots",
    "key_of",
    "lock",
    "open_unit",
    "page_of",
    "pages",
    "post",
    "spendable",
    "summary",
    "unit_of",
    "verify",
]

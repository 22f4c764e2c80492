"""The ledger: transfers between accounts, planned in Python on locked rows, written in lists.

It knows no activity and no reward: callers pass a reason and a source reference.
``post`` moves, ``passbook`` reads, ``verify`` proves.
"""

from app.services.ledger.expiry import announce_expiry, expire_lots
from app.services.ledger.passbook import (
    LAST_NUMBER,
    Filter,
    PageOf,
    page_of,
    pages,
    search,
    summary,
)
from app.services.ledger.post import Locked, Unhold, key_of, lock, post, spendable
from app.services.ledger.seals import (
    EntryNotFound,
    NotSealedYet,
    days_to_seal,
    proof,
    seal_day,
    seals,
)
from app.services.ledger.statement import Form, Statement, make_statement, period_of
from app.services.ledger.statement_html import HtmlForm
from app.services.ledger.statement_xlsx import XlsxForm
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
    "LAST_NUMBER",
    "MINUTES",
    "POINTS",
    "AccountKey",
    "AlreadySettled",
    "Difference",
    "EntryNotFound",
    "Filter",
    "Form",
    "HtmlForm",
    "InsufficientPoints",
    "Locked",
    "NotSealedYet",
    "Outcome",
    "PageOf",
    "Posted",
    "Posting",
    "ReferenceReused",
    "Report",
    "Statement",
    "Unhold",
    "UnitInvalid",
    "UnitUnknown",
    "XlsxForm",
    "announce_expiry",
    "days_to_seal",
    "expire_lots",
    "key_of",
    "lock",
    "make_statement",
    "open_unit",
    "page_of",
    "pages",
    "period_of",
    "post",
    "proof",
    "seal_day",
    "seals",
    "search",
    "spendable",
    "summary",
    "unit_of",
    "verify",
]
